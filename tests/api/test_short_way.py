"""The short way of claims and submissions says what the framework's way says."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from marketplace.accounts.models import ApiKey
from marketplace.common.errors import DomainError
from tests.api.market import Market
from workers.api.quick import quick_count, quick_page
from workers.api.work import ClaimAsk, SubmitAsk
from workers.assignments.commands.submit import Submission

ID = str(uuid4())
SOMETHING: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 102), st.floats(allow_nan=False), st.text(max_size=3), st.just([]),
    st.sampled_from([ID, ID.upper(), ID.replace("-", ""), f"{{{ID}}}", ID[:-1] + "g"]),
)  # fmt: skip


def some(known: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of the known fields, each right, wrong or left out, and now and then of another."""
    fields = {name: st.one_of(right, SOMETHING) for name, right in known.items()}
    return st.fixed_dictionaries({}, optional={**fields, "other": SOMETHING})


ids = st.sampled_from([ID, str(uuid4())])
answers = some(
    {"assignment": ids, "token": ids, "values": st.just({"label": "cat"}) | st.just({}), "unclear": st.booleans()}
)
pages = some({"answers": st.lists(answers, max_size=3), "then_claim": some({"batch": ids, "count": st.integers(1, 9)})})


class Body:
    """A request as far as an `Ask` reads it."""

    def __init__(self, data: Any) -> None:
        self.data = data


def asked(ask: Any, data: Any) -> dict[str, Any] | None:
    try:
        return dict(ask.of(Body(data)))
    except (ValidationError, DomainError):
        return None


@given(pages | SOMETHING)
def test_a_page_that_is_read_quickly_is_the_page_that_the_ask_reads(data: Any) -> None:
    quick, slow = quick_page(data), asked(SubmitAsk, data)
    if quick is not None:
        assert slow is not None, "the short way took what the framework refuses"
        then = slow.get("then_claim")
        assert quick[0] == [Submission(**answer) for answer in slow["answers"]]
        assert quick[1] == ((then["batch"], then["count"]) if then else None)


@given(some({"count": st.integers(1, 9)}) | SOMETHING)
def test_a_count_that_is_read_quickly_is_the_count_that_the_ask_reads(data: Any) -> None:
    quick = quick_count(data)
    if quick is not None:
        assert asked(ClaimAsk, data) == {"count": quick}


def test_usual_bodies_are_read_quickly() -> None:
    answer = {"assignment": ID, "token": ID, "values": {"label": "cat"}}
    assert quick_page({"answers": [answer], "then_claim": {"batch": ID, "count": 3}}) is not None
    assert (quick_count({"count": 3}), quick_count({})) == (3, 1)


@pytest.mark.parametrize("header", [{}, {"Accept": "application/json;q=0.9"}], ids=["short", "framework"])
def test_both_ways_serve_and_refuse_alike(market: Market, header: dict[str, str]) -> None:
    worker, at = market["worker"], f"worker/batches/{market.batch.public_id}/claim"

    leases = worker.post(at, {"count": 2}, headers=header).expect(201)["assignments"]
    page = {"answers": [{"assignment": lease["id"], "token": lease["token"], "unclear": True} for lease in leases]}
    assert worker.post("worker/submissions", page, headers=header).status == 200
    assert worker.post(at, {"count": 0}, headers=header).code == "invalid"
    assert worker.post(at, {"counts": 1}, headers=header).code == "unknown-field"
    assert worker.post(at, raw=b"{", headers=header).code == "malformed"
    assert worker.post(at, {"count": 1}, key=None, headers=header).code == "idempotency-key-missing"
    assert market["owner"].post(at, {"count": 1}, headers=header).code == "wrong-scope"
    assert market["anonymous"].post(at, {"count": 1}, headers=header).status == 401
    ApiKey.objects.filter(user=market.worker.user).delete()
    assert worker.post(at, {"count": 1}, headers=header).code == "key-refused"
