"""The one table that limits anyone (R40): nothing without reason, evidence, end and appeal; it is only ever lifted."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.accounts.errors import OwnMatter, SanctionInvalid, SanctionReused
from marketplace.accounts.models import Sanction, User
from marketplace.accounts.queries import live_sanctions, sanction_of
from marketplace.common.database import rows, run, value
from marketplace.common.errors import NotFound
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.profiles.commands.links import end_link, link_accounts
from workers.profiles.models import Worker

HOUR = timedelta(hours=1)
GOOD: dict[str, Any] = {
    "scope": "project",
    "scope_id": 7,
    "measure": "limit",
    "reason": "haste",
    "words": "Your answers came faster than anybody reads.",
    "evidence": {"median_seconds": 0.4},
    "life": HOUR,
}
EVENTS = "SELECT kind, body->'user_ids', body->>'measure' FROM common_outbox WHERE kind LIKE 'Sanction%%' ORDER BY id"


def limited(user: User, **other: Any) -> Sanction:
    given = {**GOOD, "user_id": user.pk, **other}
    if "firing_id" not in given:
        given.setdefault("made_by", make.make_user().pk)
    with one_transaction(principal="test"):
        return impose(**given)


def raw(user: User, **other: Any) -> tuple[str, list[Any]]:
    """An insert as a program might write it that does not know the commands."""
    columns: dict[str, Any] = {
        "user_id": user.pk, "scope": "platform", "scope_id": None, "measure": "limit", "pace_s": None,
        "reason": "haste", "words": "Slow down.", "evidence": '{"n": 1}', "firing_id": None,
        "made_by_id": make.make_user().pk, "expires_at": "2100-01-01", "appeal_until": "2100-01-01", **other,
    }  # fmt: skip
    marks = ", ".join("%s" for _ in columns)
    return f"INSERT INTO accounts_sanction ({', '.join(columns)}) VALUES ({marks})", list(columns.values())


@pytest.mark.django_db
def test_a_sanction_says_why_on_what_evidence_until_when_and_how_long_it_can_be_contested() -> None:
    user, by = make.make_user(), make.make_user()
    made = limited(user, made_by=by.pk)
    assert (made.user_id, made.made_by_id, made.firing_id) == (user.pk, by.pk, None)
    assert (made.scope, made.scope_id, made.measure, made.reason) == ("project", 7, "limit", "haste")
    assert (made.words, made.evidence) == (GOOD["words"], GOOD["evidence"])
    assert abs(made.expires_at - made.made_at - HOUR) < timedelta(seconds=1)
    assert abs(made.appeal_until - made.made_at - timedelta(days=7)) < timedelta(seconds=1)
    assert (made.lifted_at, made.lift_reason) == (None, "")
    assert rows(EVENTS) == [("Sanctioned", [user.pk], "limit")]
    assert sanction_of(made.public_id) == made


@pytest.mark.django_db
def test_a_firing_imposes_each_measure_once_however_often_it_is_repeated() -> None:
    user = make.make_user()
    first = limited(user, firing_id=3)
    again = limited(user, firing_id=3, words="Other words.")
    assert (again.pk, again.words) == (first.pk, GOOD["words"])
    other = limited(user, firing_id=3, measure="extra_gold")
    assert other.pk != first.pk
    assert Sanction.objects.count() == 2
    assert [row[2] for row in rows(EVENTS)] == ["limit", "extra_gold"]
    with pytest.raises(SanctionReused):
        limited(make.make_user(), firing_id=3)
    # What persons impose has no firing, and may be imposed twice.
    assert limited(user).pk != limited(user).pk


@pytest.mark.django_db
def test_a_sanction_is_lifted_once_with_its_reason() -> None:
    user, by = make.make_user(), make.make_user()
    made = limited(user)
    with one_transaction(principal="test"):
        assert lift(sanction_id=made.pk, reason="The key was wrong.", by=by.pk)
    with one_transaction(principal="test"):
        assert not lift(sanction_id=made.pk, reason="Another reason.", by=user.pk)
    made.refresh_from_db()
    assert (made.lift_reason, made.lifted_by_id) == ("The key was wrong.", by.pk)
    assert made.lifted_at is not None and made.lifted_at > made.made_at
    assert [row[0] for row in rows(EVENTS)] == ["Sanctioned", "SanctionLifted"]
    with pytest.raises(SanctionInvalid), one_transaction(principal="test"):
        lift(sanction_id=made.pk, reason=" ")


def linked(one: Worker, other: Worker, *, ended: bool) -> None:
    with one_transaction(principal="test"):
        by = ensure_staff(email=make.make_user().email).pk
        link = link_accounts(workers=[one.public_id, other.public_id], reason="one phone", by=by)
        if ended:
            end_link(link=link, reason="two sisters", by=by)


@pytest.mark.django_db
@pytest.mark.parametrize("ended", [None, False, True], ids=["himself", "another account", "once another account"])
@pytest.mark.usefixtures("untold")
def test_nobody_limits_himself_or_lifts_what_limits_him(ended: bool | None) -> None:
    worker, other = make.make_worker(), make.make_worker()
    if ended is not None:
        linked(worker, other, ended=ended)
    own = worker.user if ended is None else other.user
    made = limited(worker.user)

    with pytest.raises(OwnMatter), one_transaction(principal="test"):
        lift(sanction_id=made.pk, reason="It was not I.", by=own.pk)
    with pytest.raises(IntegrityError, match="own limits"), transaction.atomic():
        run(LIFT_BY, [own.pk])
    with pytest.raises(OwnMatter):
        limited(worker.user, made_by=own.pk)
    with pytest.raises(IntegrityError, match="own limits"), transaction.atomic():
        run(*raw(worker.user, made_by_id=own.pk))

    made.refresh_from_db()
    assert (made.lifted_at, Sanction.objects.count()) == (None, 1)
    with one_transaction(principal="test"):
        assert lift(sanction_id=made.pk, reason="It was not he.", by=make.make_user().pk)


@pytest.mark.django_db
def test_in_force_is_what_reaches_a_place_until_it_ends_or_is_lifted(clock: Any) -> None:
    user, other = make.make_user(), make.make_user()
    of_batch = limited(user, scope="batch", scope_id=1)
    of_project = limited(user, measure="slow_down", pace_s=5)
    everywhere = limited(user, scope="platform", scope_id=None, measure="extra_gold")
    limited(other, scope="platform", scope_id=None)

    def live(**asked: Any) -> set[int]:
        return set(live_sanctions([user.pk], **asked).values_list("pk", flat=True))

    assert live() == {of_batch.pk, of_project.pk, everywhere.pk}
    assert live(scopes=[("batch", 1), ("project", 8), ("requester", 7)]) == {of_batch.pk, everywhere.pk}
    assert live(scopes=[("project", 7)], measures=["slow_down"]) == {of_project.pk}
    with one_transaction(principal="test"):
        lift(sanction_id=of_batch.pk, reason="r")
    assert live() == {of_project.pk, everywhere.pk}
    clock(HOUR)
    assert live() == set()
    with pytest.raises(NotFound):
        sanction_of(make.make_user().public_id)


WRONG: dict[str, dict[str, Any]] = {
    "evidence": {"evidence": {}},
    "words": {"words": " "},
    "reason": {"reason": "mood"},
    "measure": {"measure": "exile"},
    "scope": {"scope": "city"},
    "scope_id": {"scope_id": None},
    "pace_s": {"pace_s": 5},
    "life": {"life": timedelta(0)},
    "appeal_days": {"appeal_days": 0},
    "made_by": {"firing_id": 1, "made_by": 1},
}


@pytest.mark.django_db
@pytest.mark.parametrize("field", WRONG)
def test_what_makes_no_sanction_is_refused_with_its_reason(field: str) -> None:
    with pytest.raises(SanctionInvalid) as refused:
        limited(make.make_user(), **WRONG[field])
    assert [error["field"] for error in refused.value.facts["errors"]] == [field]
    assert not Sanction.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("other", [{"firing_id": 1}, {"scope": "project", "scope_id": 7}])
def test_a_ban_is_made_by_a_person_for_the_whole_platform(other: dict[str, Any]) -> None:
    user = make.make_user()
    ban = {"measure": "ban", "scope": "platform", "scope_id": None}
    with pytest.raises(SanctionInvalid, match="no sanction"):
        limited(user, **{**ban, **other})
    assert limited(user, **ban).measure == "ban"


ATTACKS: dict[str, dict[str, Any]] = {
    "without evidence": {"evidence": None},
    "with empty evidence": {"evidence": "{}"},
    "with evidence that says nothing": {"evidence": '"bad"'},
    "without an end": {"expires_at": None},
    "that ended before it began": {"expires_at": "2000-01-01"},
    "that nobody can contest": {"appeal_until": None},
    "that could be contested before": {"appeal_until": "2000-01-01"},
    "without words": {"words": ""},
    "without any words": {"words": None},
    "for another reason": {"reason": "mood"},
    "of another kind": {"measure": "exile"},
    "of nowhere": {"scope": "batch"},
    "of everywhere and somewhere": {"scope_id": 3},
    "by nobody": {"made_by_id": None},
    "by two": {"firing_id": 3},
    "a ban by a rule": {"measure": "ban", "made_by_id": None, "firing_id": 3},
    "a ban from a batch": {"measure": "ban", "scope": "batch", "scope_id": 3},
    "a pace for what is none": {"pace_s": 5},
    "a slowness without a pace": {"measure": "slow_down"},
    "a slowness without end": {"measure": "slow_down", "pace_s": 100_000},
}


@pytest.mark.django_db
@pytest.mark.parametrize("what", ATTACKS)
@pytest.mark.usefixtures("untold")
def test_the_database_takes_no_sanction(what: str) -> None:
    user = make.make_user()
    with pytest.raises(IntegrityError), transaction.atomic():
        run(*raw(user, **ATTACKS[what]))
    run(*raw(user))
    assert Sanction.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("untold")
def test_the_database_dates_a_sanction_itself_and_takes_a_firing_once() -> None:
    user = make.make_user()
    run(*raw(user, made_at="2000-01-01", firing_id=5, made_by_id=None))
    assert value("SELECT made_at > market_now() - interval '1 minute' FROM accounts_sanction")
    with pytest.raises(IntegrityError, match="sanction_once"), transaction.atomic():
        run(*raw(user, firing_id=5, made_by_id=None))
    with pytest.raises(IntegrityError, match="begins in force"), transaction.atomic():
        run(*raw(user, lifted_at="2100-01-01", lift_reason="r"))


CHANGES = {
    "shorten": "UPDATE accounts_sanction SET expires_at = market_now()",
    "reword": "UPDATE accounts_sanction SET words = 'x'",
    "move": "UPDATE accounts_sanction SET user_id = (SELECT min(id) FROM accounts_user)",
    "delete": "DELETE FROM accounts_sanction",
    "truncate": "TRUNCATE accounts_sanction CASCADE",
    "lift without a reason": "UPDATE accounts_sanction SET lifted_at = market_now()",
    "give a reason without lifting": "UPDATE accounts_sanction SET lift_reason = 'x'",
    "reword while lifting": "UPDATE accounts_sanction SET lifted_at = market_now(), lift_reason = 'x', words = 'x'",
}
LIFT_BY = "UPDATE accounts_sanction SET lifted_at = market_now(), lift_reason = 'x', lifted_by_id = %s"
LIFT = "UPDATE accounts_sanction SET lifted_at = '2000-01-01', lift_reason = 'x'"


@pytest.mark.parametrize("what", CHANGES)
def test_nobody_changes_a_sanction(committed: str, as_owner: psycopg.Connection[Any], what: str) -> None:
    made = limited(make.make_user())
    with pytest.raises((IntegrityError, ProgrammingError)), one_transaction(principal="test"):
        run(CHANGES[what])
    with pytest.raises(psycopg.errors.CheckViolation):
        as_owner.execute(CHANGES[what])
    assert Sanction.objects.get() == made


@pytest.mark.usefixtures("untold")
def test_a_lift_is_final_and_dated_by_the_database(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    limited(make.make_user())
    assert run(LIFT) == 1
    assert value("SELECT lifted_at > made_at FROM accounts_sanction")
    for again in (LIFT, "UPDATE accounts_sanction SET lifted_at = NULL, lift_reason = ''"):
        with pytest.raises(psycopg.errors.CheckViolation, match="lifted once"):
            as_owner.execute(again)


def test_without_its_triggers_a_sanction_could_be_rewritten(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    """The mutant that shows that the tests above test the triggers."""
    limited(make.make_user())
    for table in ("accounts_sanction", "appeals_appeal", "appeals_step"):
        as_owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for name in ("shorten", "reword", "delete", "truncate"):
        as_owner.execute(CHANGES[name])
    assert not Sanction.objects.exists()
