"""Nobody lets his own money go, nor says what came of it: neither by his account of the staff nor by another of his."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts.commands import give_role
from marketplace.accounts.models import User
from marketplace.common.database import run as execute
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.runs import make_run
from marketplace.payouts.models import Payout, Run, RunRelease
from tests.api.callers import Caller, caller_for
from tests.payouts import people
from tests.payouts.people import EURO, money_of, state_of
from tests.staff.desk import at_desk, make_staff, told
from tests.web.visitors import key_in, text_of
from workers.profiles.commands.links import end_link, link_accounts
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db


def by_the_same_account(user: User) -> Worker:
    """He works and is of the staff."""
    worker, _ = Worker.objects.get_or_create(user=user)
    return worker


def by_another_account(user: User) -> Worker:
    """He works by another account, and both are known to be his."""
    second, by = people.make_payee(), people.make_staff().pk
    own = by_the_same_account(user)
    with one_transaction(principal="test"):
        link_accounts(workers=[own.public_id, second.public_id], reason="one telephone", by=by)
    return second


def by_an_account_unlinked_since(user: User) -> Worker:
    """Somebody has ended the link meanwhile."""
    second, by = people.make_payee(), people.make_staff().pk
    own = by_the_same_account(user)
    with one_transaction(principal="test"):
        link = link_accounts(workers=[own.public_id, second.public_id], reason="one telephone", by=by)
    with one_transaction(principal="test"):
        end_link(link=link, reason="two sisters", by=by)
    return second


Whose = Callable[[User], Worker]
OTHERS = [by_another_account, by_an_account_unlinked_since]
BOTH = pytest.mark.parametrize("whose", [by_the_same_account, *OTHERS])


def give(user: User) -> None:
    with one_transaction(principal="test"):
        give_role(user_id=user.pk, role="finance")


def staff_caller(user: User | None = None) -> Caller:
    return caller_for(user or make_staff("finance"), "staff")


def asked_by(worker: Worker) -> Payout:
    people.earn(worker, 9 * EURO)
    return people.ask(worker, people.aged(people.add, worker))


def run_with(*payouts: Payout, by: User | None = None) -> Run:
    """A run with these, which somebody else has approved and gathered."""
    boss, maker = staff_caller(), by or make_staff("finance")
    for payout in payouts:
        boss.post(f"payouts/{payout.public_id}/approve").expect(200)
    with one_transaction(principal="test"):
        return make_run(
            provider_name="manual", currency="EUR", by=maker.pk, payouts=[payout.public_id for payout in payouts]
        )


@BOTH
def test_nobody_decides_on_a_payout_to_himself_by_whichever_account(whose: Whose) -> None:
    user = make_staff("finance")
    payout = asked_by(whose(user))
    at, himself = f"payouts/{payout.public_id}", staff_caller(user)

    assert himself.post(f"{at}/approve").code == "own-payout"
    assert himself.post(f"{at}/refuse", {"reason": "x"}).code == "own-payout"

    assert state_of(payout) == "requested"
    staff_caller().post(f"{at}/approve").expect(200)
    assert himself.post(f"{at}/refuse", {"reason": "x"}).code == "own-payout"


@BOTH
def test_nobody_releases_a_run_that_pays_himself_by_whichever_account(whose: Whose) -> None:
    user = make_staff("finance")
    made = run_with(asked_by(people.make_payee()), asked_by(whose(user)))

    refused = staff_caller(user).post(f"payout-runs/{made.public_id}/release")

    assert refused.code == "own-run" and not RunRelease.objects.exists()
    assert "/release/" not in at_desk(user).get(f"/staff/money/runs/{made.public_id}/").content.decode()
    staff_caller().post(f"payout-runs/{made.public_id}/release").expect(200)


@pytest.mark.parametrize("whose", OTHERS)
def test_whoever_made_a_run_does_not_release_it_by_another_account(whose: Whose) -> None:
    user = make_staff("finance")
    maker = whose(user).user
    give(maker)
    made = run_with(asked_by(people.make_payee()), by=maker)

    refused = staff_caller(user).post(f"payout-runs/{made.public_id}/release")

    assert refused.code == "own-run" and not RunRelease.objects.exists()
    assert "/release/" not in at_desk(user).get(f"/staff/money/runs/{made.public_id}/").content.decode()


@BOTH
@pytest.mark.parametrize("outcome", ["failed", "settled"])
def test_nobody_says_what_came_of_his_own_payout(whose: Whose, outcome: str) -> None:
    user = make_staff("finance")
    worker = whose(user)
    payout, other = asked_by(worker), asked_by(people.make_payee())
    made = run_with(payout, other)
    himself, somebody = staff_caller(user), make_staff("finance")
    staff_caller(somebody).post(f"payout-runs/{made.public_id}/release").expect(200)
    at, said = f"payout-runs/{made.public_id}/outcomes", {"outcome": outcome, "reason": "closed account"}

    whole = himself.post(at, said)
    named = himself.post(at, {**said, "payouts": [str(other.public_id), str(payout.public_id)]})

    assert [(reply.status, reply.code) for reply in (whole, named)] == [(403, "own-payout")] * 2
    assert whole.json["payout"] == str(payout.public_id)
    assert (state_of(payout), state_of(other), told("money.outcome_reported")) == ("sent", "sent", [])
    assert money_of(worker) == {"earned": 8 * EURO, "withdrawing": EURO}
    # Of others he says it, and others say it of him.
    assert himself.post(at, {**said, "payouts": [str(other.public_id)]}).expect(200) == {"changed": 1}
    assert staff_caller(somebody).post(at, said).expect(200) == {"changed": 1}
    assert himself.post(at, {**said, "payouts": [str(payout.public_id)]}).code == "own-payout"
    assert [row.actor_id for row in told("money.outcome_reported")] == [user.pk, somebody.pk]
    assert [found.name for found in check_promises() if found.violations] == []


@BOTH
def test_nobody_says_that_the_bank_sent_his_own_payout_back(whose: Whose) -> None:
    user = make_staff("finance")
    worker = whose(user)
    payout = asked_by(worker)
    made = run_with(payout)
    at, boss = f"payout-runs/{made.public_id}", staff_caller()
    boss.post(f"{at}/release").expect(200)
    boss.post(f"{at}/outcomes", {"outcome": "settled"}).expect(200)

    for named in ({}, {"payouts": [str(payout.public_id)]}):
        refused = staff_caller(user).post(f"{at}/outcomes", {"outcome": "returned", "reason": "so they say", **named})
        assert refused.code == "own-payout"

    assert state_of(payout) == "settled"
    assert money_of(worker) == {"earned": 8 * EURO, "withdrawing": 0}
    boss.post(f"{at}/outcomes", {"outcome": "returned", "reason": "sent back"}).expect(200)
    assert money_of(worker)["earned"] == 9 * EURO


def test_the_page_offers_nobody_his_own_payout_to_report_on_and_refuses_it() -> None:
    user = make_staff("finance")
    payout, other = asked_by(by_another_account(user)), asked_by(people.make_payee())
    made = run_with(payout, other)
    client, at = at_desk(user), f"/staff/money/runs/{made.public_id}/"
    page = client.get(at)
    assert "or are paid by it" in text_of(page)
    assert f'value="{other.public_id}"' in page.content.decode()
    assert f'value="{payout.public_id}"' not in page.content.decode()

    said = {"outcome": "failed", "reason": "closed account"}
    refused = client.post(at, {**said, "form_key": key_in(page)})

    assert refused.status_code == 422 and "for it is yours" in text_of(refused)
    assert (state_of(payout), state_of(other)) == ("sent", "sent")
    assert client.post(at, {**said, "payouts": [str(other.public_id)], "form_key": key_in(page)}).url == at
    assert (state_of(payout), state_of(other)) == ("sent", "returned")
    assert [row.actor_id for row in told("money.outcome_reported")] == [user.pk]


@pytest.mark.parametrize("whose", OTHERS)
def test_the_database_knows_whose_money_it_is(whose: Whose) -> None:
    user, maker = make_staff("finance"), make_staff("finance")
    payout = asked_by(whose(user))
    for state in ("approved", "refused"):
        with pytest.raises(IntegrityError, match="nobody on his own"), transaction.atomic():
            execute(
                "UPDATE payouts_payout SET state = %s, reason = 'r', decided_by_id = %s WHERE id = %s",
                [state, user.pk, payout.pk],
            )
    made = run_with(payout, by=maker)
    again = whose(maker).user
    give(again)
    for by in (user, again):
        with pytest.raises(IntegrityError, match="somebody of finance releases"), transaction.atomic():
            execute("INSERT INTO payouts_runrelease (run_id, made_by_id) VALUES (%s, %s)", [made.pk, by.pk])
    stranger: Any = make_staff("finance")
    assert execute("INSERT INTO payouts_runrelease (run_id, made_by_id) VALUES (%s, %s)", [made.pk, stranger.pk]) == 1
