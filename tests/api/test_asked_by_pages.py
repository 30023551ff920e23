"""Pages ask the API with the session of who is signed in: his roles count, and writes need the page's CSRF token."""

from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import User
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.callers import BASE, JSON
from tests.api_client import signed_up
from tests.payouts.people import enrol
from tests.staff.desk import show_code
from workers.assignments.models import Assignment

CSRF = "c" * 32


def page_of(user: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    client.cookies["csrftoken"] = CSRF
    return client


def claim(client: Client, batch: Any, **headers: str) -> Any:
    at = f"{BASE}/worker/batches/{batch.public_id}/claim"
    return client.post(at, {"count": 1}, JSON, headers={"Idempotency-Key": "k", **headers})


@pytest.fixture
def batch(db: None) -> Any:
    return make.make_batch(tasks=2, overlap=1)


def test_a_worker_reads_and_claims_from_a_page(batch: Any) -> None:
    page = page_of(make.make_worker().user)

    board = page.get(f"{BASE}/worker/batches")
    claimed = claim(page, batch, **{"X-CSRFToken": CSRF})

    assert [row["id"] for row in board.json()["results"]] == [str(batch.public_id)]
    assert claimed.status_code == 201
    assert claim(page, batch, **{"X-CSRFToken": CSRF}).content == claimed.content


@pytest.mark.parametrize(
    "headers", [{}, {"X-CSRFToken": "d" * 32}, {"X-CSRFToken": CSRF, "Origin": "https://evil.example"}]
)
def test_without_the_token_of_the_page_nothing_is_done(batch: Any, headers: dict[str, str]) -> None:
    refused = claim(page_of(make.make_worker().user), batch, **headers)

    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")
    assert Assignment.objects.count() == 0


def test_a_page_can_what_the_roles_of_its_person_can(db: None) -> None:
    person, staff = signed_up(), signed_up()
    with one_transaction(principal="test"):
        ensure_staff(email=staff.email)

    enrol(staff)

    plain, without_a_code, powerful = page_of(person), page_of(staff), show_code(page_of(staff))

    assert plain.get(f"{BASE}/deposits").json()["type"] == "/problems/wrong-scope"
    assert plain.get(f"{BASE}/worker").json()["type"] == "/problems/not-a-worker"
    assert plain.get(f"{BASE}/requesters").status_code == 200
    assert without_a_code.get(f"{BASE}/deposits").json()["type"] == "/problems/wrong-scope"
    assert powerful.get(f"{BASE}/deposits").status_code == 200


def test_what_pages_ask_a_code_for_is_not_to_be_had_without(batch: Any) -> None:
    page = page_of(make.make_worker().user)
    headers = {"Idempotency-Key": "k", "X-CSRFToken": CSRF}

    asked = page.post(f"{BASE}/worker/payouts", {"destination": "x", "currency": "EUR"}, JSON, headers=headers)

    assert (asked.status_code, asked.json()["type"]) == (403, "/problems/wrong-scope")
    assert page.get(f"{BASE}/worker/payouts").status_code == 200


def test_who_signed_out_or_was_closed_is_a_stranger(batch: Any) -> None:
    user = make.make_worker().user
    left, closed = page_of(user), page_of(user)
    left.logout()
    User.objects.filter(pk=user.pk).update(is_active=False)

    assert left.get(f"{BASE}/worker/batches").status_code == 401
    assert closed.get(f"{BASE}/worker/batches").status_code == 401


def test_a_key_goes_first(batch: Any) -> None:
    refused = page_of(make.make_worker().user).get(f"{BASE}/worker/batches", headers={"Authorization": "Bearer ts_no"})

    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/key-refused")
