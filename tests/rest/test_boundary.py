"""One request, one transaction, one answer (R16)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from marketplace.accounts.models import Requester
from marketplace.common.errors import Conflict
from marketplace.common.sealing import Unsealable, seal, unseal
from marketplace.rest.boundary import once

REQUESTS = APIRequestFactory()


class Lost(Conflict):
    code = "lost"
    title = "It was lost"


class MakingView(APIView):
    """Makes a requester, and then answers in the way that the test asks for."""

    authentication_classes = ()
    permission_classes = [AllowAny]
    answer = "made"
    body_hash: bytes | None = None

    def post(self, request: Request) -> HttpResponse:
        with once(request, body_hash=self.body_hash) as boundary:
            if boundary.replay:
                return boundary.replay
            made = Requester.objects.create(name="made")
            if self.answer == "refused":
                raise Lost("Nothing is kept.")
            if self.answer == "kept refusal":
                return boundary.refuse(Lost("What was written stays.", draft=7))
            if self.answer == "nothing":
                return boundary.respond(None, status=204)
            return boundary.respond({"id": made.public_id, "name": "é"}, status=201, secret=self.answer == "secret")


def send(key: str | None = "k1", body: Any = None, **kinds: Any) -> HttpResponse:
    headers = {} if key is None else {"Idempotency-Key": key}
    request = REQUESTS.post("/api/v1/made", body or {}, format="json", headers=headers)
    return MakingView.as_view(**kinds)(request)


@pytest.mark.parametrize("answer", ["made", "secret", "kept refusal", "nothing"])
def test_a_repeat_is_the_first_answer_to_the_byte(db: None, answer: str) -> None:
    first, again = send(answer=answer), send(answer=answer)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.get("Content-Type") == first.get("Content-Type")
    assert again["Idempotent-Replay"] == "true"
    assert Requester.objects.count() == 1


def test_a_refusal_keeps_nothing_and_may_be_tried_again(db: None) -> None:
    refused = send(answer="refused")
    made = send(answer="made")

    assert (refused.status_code, refused["Content-Type"]) == (409, "application/problem+json")
    assert made.status_code == 201
    assert "Idempotent-Replay" not in made
    assert Requester.objects.count() == 1


def test_a_refusal_that_is_an_outcome_keeps_what_was_written(db: None) -> None:
    response = send(answer="kept refusal")

    assert (response.status_code, response["Content-Type"]) == (409, "application/problem+json")
    assert b'"draft":7' in response.content
    assert Requester.objects.count() == 1


def test_another_body_under_the_same_key_is_refused(db: None) -> None:
    send(body={"a": 1})

    assert send(body={"a": 2}).status_code == 422
    assert Requester.objects.count() == 1


def test_a_streamed_body_is_told_apart_by_the_hash_given(db: None) -> None:
    first, same, other = (send(body_hash=digest) for digest in (b"1", b"1", b"2"))

    assert (first.status_code, same.content, other.status_code) == (201, first.content, 422)


@pytest.mark.parametrize("key", [None, "", "   ", "x" * 201, "é", "a\tb"])
def test_a_key_is_needed_and_must_be_plain(db: None, key: str | None) -> None:
    assert send(key=key).status_code == 400
    assert Requester.objects.count() == 0


def test_twins_at_once_are_one(committed: str, together: Callable[..., list[Any]]) -> None:
    answers = together([send] * 8)

    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replay" in answer for answer in answers) == 7
    assert Requester.objects.count() == 1


@pytest.fixture
def new_secret(settings: Any) -> Iterator[Callable[[list[str]], None]]:
    def replace(old: list[str]) -> None:
        settings.SECRET_KEY_FALLBACKS = old
        settings.SECRET_KEY = "another-secret-that-is-long-enough-for-this-purpose"

    yield replace


def test_what_is_sealed_opens_for_its_purpose_only(settings: Any, new_secret: Callable[[list[str]], None]) -> None:
    sealed, first = seal("answer", b"text"), settings.SECRET_KEY

    assert unseal("answer", sealed) == b"text"
    with pytest.raises(Unsealable):
        unseal("cursor", sealed)
    with pytest.raises(Unsealable):
        unseal("answer", sealed[:-4] + b"AAA=")
    new_secret([first])
    assert unseal("answer", sealed) == b"text"
    new_secret([])
    with pytest.raises(Unsealable):
        unseal("answer", sealed)
