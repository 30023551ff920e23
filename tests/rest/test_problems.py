"""Every refusal is a problem document with the right status, and an error of ours says nothing of the inside."""

import json
import logging
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.test import APIRequestFactory

from marketplace.common.errors import BadRequest, Conflict, DomainError, Forbidden, NotFound, Unprocessable
from marketplace.rest.errors import TooMany, Unavailable
from marketplace.rest.problems import to_problem
from tests.api_client import Api, code_of, key_for, signed_up


class Late(Conflict):
    code = "too-late"
    title = "It is too late"


CASES: list[tuple[Exception, int, str]] = [
    (BadRequest("no"), 400, "refused"),
    (Forbidden("no"), 403, "forbidden"),
    (NotFound("no"), 404, "not-found"),
    (Conflict("no"), 409, "conflict"),
    (Late("no"), 409, "too-late"),
    (Unprocessable("no"), 422, "invalid"),
    (DomainError("no"), 409, "refused"),
    (exceptions.ParseError(), 400, "malformed"),
    (exceptions.NotAuthenticated(), 401, "not-authenticated"),
    (exceptions.PermissionDenied(), 403, "forbidden"),
    (exceptions.NotFound(), 404, "not-found"),
    (exceptions.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
    (exceptions.NotAcceptable(), 406, "not-acceptable"),
    (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported-media-type"),
    (exceptions.ValidationError({"a": ["wrong"]}), 422, "invalid"),
    (exceptions.Throttled(wait=7), 429, "too-many-requests"),
    (TooMany("wait", 7), 429, "too-many-requests"),
    (Unavailable(), 503, "unavailable"),
    (Http404(), 404, "not-found"),
    (PermissionDenied(), 403, "forbidden"),
    (SuspiciousOperation(), 400, "malformed"),
    (RequestDataTooBig(), 413, "too-large"),
    (OperationalError("the password is hunter2"), 503, "unavailable"),
    (KeyError("hunter2"), 500, "internal-error"),
]


@pytest.mark.parametrize(("error", "status", "code"), CASES, ids=[type(case[0]).__name__ for case in CASES])
def test_each_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    request = APIRequestFactory().post("/api/v1/things")

    response = to_problem(error, {"request": request})

    assert (response.status_code, code_of_bytes(response)) == (status, code)
    assert b"hunter2" not in response.content
    if status == 429:
        assert response["Retry-After"] == "7"


def code_of_bytes(response: Any) -> str:
    assert response["Content-Type"] == "application/problem+json"
    document = json.loads(response.content)
    assert (document["status"], document["instance"]) == (response.status_code, "/api/v1/things")
    return str(document["type"].removeprefix("/problems/"))


def test_facts_are_told_and_displace_nothing() -> None:
    error = Late("Come earlier.", missing_micros=7, status="open", detail_of="x")

    document = json.loads(to_problem(error, {"request": APIRequestFactory().get("/here")}).content)

    assert document == {
        "type": "/problems/too-late",
        "title": "It is too late",
        "status": 409,
        "detail": "Come earlier.",
        "instance": "/here",
        "missing_micros": 7,
        "detail_of": "x",
    }


def test_only_the_unexpected_is_logged_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    request = APIRequestFactory().get("/")
    with caplog.at_level(logging.INFO):
        to_problem(Late("no"), {"request": request})
        assert not caplog.records
        to_problem(KeyError("lost"), {"request": request})
    (record,) = caplog.records
    assert (record.levelname, record.exc_info is not None) == ("ERROR", True)


@pytest.mark.parametrize("path", ["/nothing", "/projects/not-a-uuid", "/keys/"])
def test_an_unknown_address_is_a_problem_too(db: None, path: str) -> None:
    response = Api(key_for(signed_up(), "requester")).get(path)

    assert (response.status_code, code_of(response)) == (404, "not-found")


def test_without_a_key_there_is_only_a_401(db: None) -> None:
    for path in ("/keys", "/requesters", "/worker", "/projects", "/worker/batches"):
        response = Api().get(path)
        assert (response.status_code, code_of(response)) == (401, "not-authenticated")
        assert response["WWW-Authenticate"] == "Bearer"


def test_a_wrong_method_says_which_are_right(db: None) -> None:
    response = Api().get("/accounts")

    assert (response.status_code, code_of(response)) == (405, "method-not-allowed")
    assert response["Allow"] == "POST, OPTIONS"
