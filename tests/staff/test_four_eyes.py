"""A run of payouts is looked at by two people before a bank is told to pay."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.common.database import run as execute
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.runs import make_run, release_run, report_outcome, take_file
from marketplace.payouts.errors import RunNotReleased, WrongState
from marketplace.payouts.models import Run, RunRelease
from tests.api.callers import caller_for
from tests.payouts import people
from tests.staff.desk import at_desk, make_staff, told
from tests.web.visitors import key_in, text_of
from workers.profiles.models import Worker


@pytest.fixture
def made(db: None) -> tuple[Any, Any, Run]:
    """Two people of finance, and a run that the first has made."""
    first, second = make_staff("finance"), make_staff("finance")
    worker = people.make_payee(9 * people.EURO)
    place = people.aged(people.add, worker)
    people.approved(worker, place, first)
    caller_for(first, "staff").post("payout-runs", {"provider": "manual", "currency": "EUR"}).expect(201)
    return first, second, Run.objects.get()


def test_who_made_a_run_sees_no_way_to_release_it_and_is_refused(made: tuple[Any, Any, Run]) -> None:
    first, _second, run = made
    client, at = at_desk(first), f"/staff/money/runs/{run.public_id}/"
    page = client.get(at)
    assert "somebody else looks at it" in text_of(page)
    assert f"{at}release/" not in page.content.decode()
    client.post(f"{at}release/", {"form_key": key_in(page)})
    assert not RunRelease.objects.exists()
    assert "Another member of the staff looks at this run" in text_of(client.get(at))
    assert client.get(f"{at}file/").url == at, "before that there is no file"


def test_the_second_releases_it_and_both_may_take_the_file(made: tuple[Any, Any, Run]) -> None:
    first, second, run = made
    client, at = at_desk(second), f"/staff/money/runs/{run.public_id}/"
    page = client.get(at)
    assert client.post(f"{at}release/", {"form_key": key_in(page)}).url == at
    assert RunRelease.objects.get().made_by_id == second.pk
    assert "Released. The file can be taken to the bank." in text_of(client.get(at))
    for person in (first, second):
        file = at_desk(person).get(f"{at}file/")
        assert file.status_code == 200 and b"key" in file.content
        assert file["Content-Disposition"] == f'attachment; filename="payouts-{run.public_id}.csv"'
    [released] = told("money.run_released")
    assert (released.actor_id, released.subject_id, released.after["payouts"]) == (second.pk, str(run.public_id), 1)
    assert [row.actor_id for row in told("money.run_file_taken")] == [first.pk, second.pk]


def test_the_database_knows_four_eyes_too(made: tuple[Any, Any, Run]) -> None:
    first, _second, run = made
    quality, payee = make_staff("quality"), run.payouts.get().user  # type: ignore[attr-defined]
    for by in (first.pk, quality.pk, payee.pk):
        with pytest.raises(IntegrityError, match="somebody of finance releases"), transaction.atomic():
            execute("INSERT INTO payouts_runrelease (run_id, made_by_id) VALUES (%s, %s)", [run.pk, by])
    assert not RunRelease.objects.exists()


def test_what_failed_before_the_release_is_never_in_a_file(made: tuple[Any, Any, Run]) -> None:
    first, second, run = made
    payout = run.payouts.get()  # type: ignore[attr-defined]
    worker, at = Worker.objects.get(user=payout.user), f"payout-runs/{run.public_id}"
    maker, looker = caller_for(first, "staff"), caller_for(second, "staff")
    failed = {"outcome": "failed", "payouts": [str(payout.public_id)], "reason": "typed wrong"}
    assert maker.post(f"{at}/outcomes", failed).expect(200) == {"changed": 1}
    assert people.money_of(worker) == {"earned": 9 * people.EURO, "withdrawing": 0}

    assert looker.post(f"{at}/release").code == "wrong-payout-state"
    assert looker.get(f"{at}/file").code == "run-not-released"

    assert not RunRelease.objects.exists() and not told("money.run_released")
    page = at_desk(second).get(f"/staff/money/runs/{run.public_id}/")
    assert "it is not released any more" in text_of(page)
    assert "/release/" not in page.content.decode()


def test_what_failed_after_the_release_is_in_no_file_from_then_on(made: tuple[Any, Any, Run]) -> None:
    first, second, run = made
    at = f"payout-runs/{run.public_id}"
    maker, looker = caller_for(first, "staff"), caller_for(second, "staff")
    looker.post(f"{at}/release").expect(200)
    assert maker.get(f"{at}/file").status == 200
    maker.post(f"{at}/outcomes", {"outcome": "failed", "reason": "closed account"}).expect(200)

    assert maker.get(f"{at}/file").code == "wrong-payout-state"
    assert len(told("money.run_file_taken")) == 1
    looker.post(f"{at}/release").expect(200)  # a repeat, which changes nothing
    page = at_desk(first).get(f"/staff/money/runs/{run.public_id}/")
    assert "its file is not given any more" in text_of(page)
    assert "/file/" not in page.content.decode()


@pytest.mark.parametrize("outcome", ["settled", "returned"])
def test_nothing_of_a_run_is_settled_before_a_second_person_has_looked(
    made: tuple[Any, Any, Run], outcome: str
) -> None:
    first, _second, run = made
    payout, at = run.payouts.get(), f"payout-runs/{run.public_id}/outcomes"  # type: ignore[attr-defined]
    for body in ({}, {"payouts": [str(payout.public_id)]}):
        refused = caller_for(first, "staff").post(at, {"outcome": outcome, "reason": "so they say", **body})
        assert refused.code == ("wrong-payout-state" if body and outcome == "returned" else "run-not-released")
    client, page = at_desk(first), f"/staff/money/runs/{run.public_id}/"
    form = client.get(page)
    assert "Failed: nothing was paid" in text_of(form)
    assert "Paid: the money has arrived" not in text_of(form)
    assert client.post(page, {"form_key": key_in(form), "outcome": outcome, "reason": "x"}).status_code == 422
    assert people.state_of(payout) == "sent" and not told("money.outcome_reported")


def test_the_database_settles_nothing_unreleased_and_releases_nothing_that_ended(made: tuple[Any, Any, Run]) -> None:
    first, second, run = made
    payout = run.payouts.get()  # type: ignore[attr-defined]
    with pytest.raises(IntegrityError, match="before its release"), transaction.atomic():
        execute("UPDATE payouts_payout SET state = 'settled' WHERE id = %s", [payout.pk])
    caller_for(first, "staff").post(
        f"payout-runs/{run.public_id}/outcomes", {"outcome": "failed", "reason": "typed wrong"}
    ).expect(200)
    with pytest.raises(IntegrityError, match="none of its payouts has ended"), transaction.atomic():
        execute("INSERT INTO payouts_runrelease (run_id, made_by_id) VALUES (%s, %s)", [run.pk, second.pk])
    assert not RunRelease.objects.exists()


def test_of_a_release_and_a_failure_at_once_the_payout_goes_one_way(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    """Whichever comes first, no file is given that asks for money which is back with the worker."""
    first, second = make_staff("finance"), make_staff("finance")
    worker = people.make_payee(9 * people.EURO)
    people.approved(worker, people.aged(people.add, worker), first)
    with one_transaction(principal="test"):
        made = make_run(provider_name="manual", currency="EUR", by=first.pk)

    def in_one(command: Callable[..., Any], **terms: Any) -> Callable[[], Any]:
        def go() -> Any:
            try:
                with one_transaction(principal="test"):
                    return command(**terms)
            except WrongState as refused:
                return refused.code

        return go

    release = in_one(release_run, public_id=made.public_id, by=second.pk)
    failure = in_one(
        report_outcome, run_id=made.pk, outcome="failed", payouts=None, by=first.pk, reason="closed account"
    )
    ends = together([release, failure] * 4)
    assert ends[1::2].count(1) == 1, "the money goes back once"
    assert people.money_of(worker) == {"earned": 9 * people.EURO, "withdrawing": 0}
    with pytest.raises((WrongState, RunNotReleased)), one_transaction(principal="test"):
        take_file(public_id=made.public_id, by=first.pk)
    assert [found.name for found in check_promises() if found.violations] == []


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE payouts_payout SET state = 'settled', settled_at = now(), ended_at = now()",
        "UPDATE payouts_runrelease SET made_at = made_at + interval '1 day'",
        "ALTER TABLE payouts_payout DISABLE TRIGGER settled_when_released",
        "DROP TRIGGER release_begin ON payouts_runrelease",
    ],
)
def test_a_run_that_was_paid_unreleased_or_released_too_late_is_found(
    committed: str, as_owner: psycopg.Connection[Any], damage: str
) -> None:
    first = make_staff("finance")
    worker = people.make_payee(9 * people.EURO)
    people.approved(worker, people.aged(people.add, worker), first)
    with one_transaction(principal="test"):
        made = make_run(provider_name="manual", currency="EUR", by=first.pk)
    if "runrelease SET" in damage:
        people.released(made)
        with one_transaction(principal="test"):
            report_outcome(run_id=made.pk, outcome="failed", payouts=None, by=first.pk, reason="closed account")
    assert [found.name for found in check_promises() if found.violations] == []
    guards = {"payouts_payout": ("payout_step", "settled_when_released", "agree"), "payouts_runrelease": ("closed",)}
    for table, names in guards.items() if damage.startswith("UPDATE") else ():
        for name in names:
            as_owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    as_owner.execute(damage)
    for table, names in guards.items() if damage.startswith("UPDATE") else ():
        for name in names:
            as_owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    assert "inv_r11_runs" in {found.name for found in check_promises() if found.violations}


def test_the_second_person_reads_a_run_and_its_payouts_over_the_api_and_the_look_is_written_down(db: None) -> None:
    first, second = make_staff("finance"), make_staff("finance")
    worker = people.make_payee(9 * people.EURO)
    payout = people.approved(worker, people.aged(people.add, worker), first)
    made = caller_for(first, "staff").post("payout-runs", {"provider": "manual", "currency": "EUR"}).expect(201)
    at, reader = f"payout-runs/{made['id']}", caller_for(second, "staff")
    assert reader.get(at).expect(200) == made and made["released_by"] is None
    [inside] = reader.get(f"{at}/payouts").expect(200)["results"]
    assert (inside["id"], inside["user"], inside["run"]) == (str(payout.public_id), worker.user.email, made["id"])
    [looked] = [row for row in told("person.viewed") if row.subject == "payout_run"]
    assert (looked.actor_id, looked.subject_id) == (second.pk, made["id"])
    for path in (at, f"{at}/payouts"):
        assert caller_for(make_staff("support"), "staff").get(path).code == "staff-role-needed"
