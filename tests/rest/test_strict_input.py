"""What two readers could understand differently is refused."""

from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from marketplace.common.errors import BadRequest
from marketplace.rest.ask import Ask
from marketplace.rest.errors import Malformed, UnknownField
from marketplace.rest.parsing import StrictJSONParser, strict_json
from marketplace.rest.problems import field_errors
from tests.api_client import PASSWORD, Api, code_of, new_email

REFUSED = {
    "the same name twice": b'{"a": 1, "a": 2}',
    "the same name twice, inside": b'{"x": [{"a": 1, "\\u0061": 2}]}',
    "not a number": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "a number that overflows": b'{"a": 1e999}',
    "NUL": b'{"a": "\\u0000"}',
    "NUL in a name": b'{"\\u0000": 1}',
    "half a surrogate pair": b'{"a": "\\ud83d"}',
    "half a surrogate pair, in capitals": b'{"a": ["\\uDE00"]}',
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "nothing": b"",
    "two values": b"{} {}",
    "a comment": b"{} // yes",
    "depth": b"[" * 100_000,
    "depth that Python could still read": b"[" * 101 + b"]" * 101,
    "depth of objects": b'{"a":' * 101 + b"1" + b"}" * 101,
    # Brackets in texts stand for nothing, in whichever order they come.
    "depth that texts seem to close": b'["]",' * 150 + b"1" + b',"["]' * 150,
    "a number of 10,000 digits": b"1" * 10_000,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_json_that_is_not_plain_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        strict_json(body)


WIDE = {
    "as deep as it may be": b"[" * 100 + b"]" * 100,
    "brackets in texts": b"[%s]" % b",".join([b'["\\"[[[["]'] * 500),
    "many beside each other": b"[%s]" % b",".join([b"{}"] * 500),
}


@pytest.mark.parametrize("body", WIDE.values(), ids=WIDE.keys())
def test_what_is_wide_is_not_taken_for_deep(body: bytes) -> None:
    assert isinstance(strict_json(body), list)


def test_plain_json_is_read_as_it_is() -> None:
    assert strict_json('{"a": ["\\ud83d\\ude00", "😀", "\\\\u0000", 1.5, null, true]}'.encode()) == {
        "a": ["😀", "😀", "\\u0000", 1.5, None, True]
    }


@pytest.mark.parametrize(
    "body", [b"[" * 60_000 + b"]" * 60_000, b'{"a": "\\u0000"}', b'[{"email": 1}]', b'"text"', b"7"]
)
def test_the_api_answers_nonsense_with_a_problem(db: None, body: bytes) -> None:
    response = Api().post("/accounts", body)

    assert (response.status_code, code_of(response)) == (400, "malformed")


class InnerAsk(Ask):
    number = serializers.IntegerField()


class OuterAsk(Ask):
    text = serializers.CharField(max_length=5)
    yes = serializers.BooleanField(default=False)
    share = serializers.FloatField(required=False)
    inner = InnerAsk(required=False)
    many = InnerAsk(many=True, required=False)
    ids = serializers.ListField(child=serializers.UUIDField(), required=False)


def asked(body: Any) -> dict[str, Any]:
    request = APIRequestFactory().post("/", body, format="json")
    return OuterAsk.of(Request(request, parsers=[StrictJSONParser()]))


def test_only_what_was_given_or_has_a_default_is_there() -> None:
    assert asked({"text": "a"}) == {"text": "a", "yes": False}


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"text": "a", "admin": True}, ["admin"]),
        ({"text": "a", "inner": {"number": 1, "x": 1}}, ["inner.x"]),
        ({"text": "a", "many": [{"number": 1}, {"number": 1, "x": 1}]}, ["many.x"]),
        ({"b": 1, "a": 1}, ["a", "b"]),
    ],
)
def test_unknown_fields_are_refused_wherever_they_are(body: Any, names: list[str]) -> None:
    with pytest.raises(UnknownField) as refused:
        asked(body)

    assert refused.value.facts["fields"] == names
    assert isinstance(refused.value, BadRequest)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": None}, "text"),
        ({"text": 5}, "text"),
        ({"text": "too long"}, "text"),
        ({"text": "a", "yes": "true"}, "yes"),
        ({"text": "a", "yes": 1}, "yes"),
        ({"text": "a", "share": "0.5"}, "share"),
        ({"text": "a", "share": True}, "share"),
        ({"text": "a", "inner": {"number": "1"}}, "inner.number"),
        ({"text": "a", "inner": {"number": True}}, "inner.number"),
        ({"text": "a", "inner": {"number": 1.0}}, "inner.number"),
        ({"text": "a", "inner": []}, "inner"),
        ({"text": "a", "many": [{"number": 1}, {}]}, "many.1.number"),
        ({"text": "a", "ids": [7]}, "ids"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(body: Any, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        asked(body)

    assert [error["field"] for error in field_errors(refused.value.detail)] == [field]


def test_other_content_types_are_refused(db: None) -> None:
    from django.test import Client

    response = Client().post(
        "/api/v1/accounts",
        data={"email": new_email(), "password": PASSWORD},
        headers={"Idempotency-Key": "1"},
        REMOTE_ADDR=Api().address,
    )

    assert (response.status_code, code_of(response)) == (415, "unsupported-media-type")


def test_a_body_past_the_bound_is_refused(db: None, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    response = Api().post("/accounts", b'{"email": "' + b"x" * 1000 + b'"}')

    assert (response.status_code, code_of(response)) == (413, "too-large")
