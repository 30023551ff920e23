"""Rules in force: what is recorded has a worker judged, what fires limits him, and what was wrong is taken back."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, transaction

from marketplace.accounts.commands.sanctions import lift
from marketplace.accounts.models import Sanction
from marketplace.accounts.queries import live_sanctions
from marketplace.batches.models import Batch
from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.profiles.commands.skills import create_skill, grant_skill
from workers.profiles.models import Grant, Worker
from workers.reputation.commands import (
    Judged,
    finish_wanted,
    record_outcomes,
    set_platform_rules,
    take_wanted,
    undo_outcomes,
)
from workers.reputation.commands.apply import evaluate_due
from workers.reputation.errors import RulesInvalid
from workers.reputation.models import Firing
from workers.reputation.states import Kind
from workers.reputation.tasks import apply_rules

LIMIT = {"do": "limit", "scope": "project", "hours": 72}
MISSES: dict[str, Any] = {
    "name": "misses",
    "scope": "project",
    "window": {"answers": 50},
    "all": [{"metric": "gold_answers", "at_least": 5}, {"metric": "gold_accuracy", "below": 0.7, "bound": "high"}],
    "then": [LIMIT],
    "words": "Too many wrong.",
}
FIRED = "SELECT kind, body->'worker_ids' FROM common_outbox WHERE kind LIKE 'Rule%%' ORDER BY id"


def rule(**other: Any) -> dict[str, Any]:
    return MISSES | other


def batch_with(*rules: dict[str, Any], **terms: Any) -> Batch:
    return make.make_batch(5, 0, quality={"rules": list(rules)}, **terms)


def wrong(worker: Worker, batch: Batch, count: int, score: float = 0.0, first: int = 1) -> None:
    place = {"worker_id": worker.pk, "project_id": batch.project_id, "batch_id": batch.pk}
    found = []
    for number in range(first, first + count):
        found.append(Judged(**place, assignment_id=worker.pk * 10_000 + number, given="cat", took_ms=5_000))
        found.append(
            Judged(
                **place,
                kind=Kind.GOLD,
                score=score,
                assignment_id=worker.pk * 10_000 + number,
                truth="dog",
                given="cat",
            )
        )
    with one_transaction(principal="test"):
        record_outcomes(found)


def judged() -> int:
    with one_transaction(principal="test"):
        return evaluate_due()


def unfounded() -> int:
    """How many sanctions the promise finds that rest on no firing that stands."""
    return value("SELECT count(*) FROM inv_r40_firing")  # type: ignore[no-any-return]


def waiting() -> list[tuple[Any, ...]]:
    return rows("SELECT worker_id, batch_id, undone FROM reputation_toevaluate ORDER BY id")


def test_who_misses_is_limited_on_evidence_in_the_words_of_the_rule(committed: str) -> None:
    batch, worker, good = batch_with(MISSES), make.make_worker(), make.make_worker()
    wrong(worker, batch, 10)
    wrong(good, batch, 10, score=1.0)
    assert judged() == 2
    sanction = Sanction.objects.get()
    assert (sanction.user_id, sanction.scope, sanction.scope_id) == (worker.user_id, "project", batch.project_id)
    assert (sanction.measure, sanction.reason, sanction.words) == ("limit", "low_accuracy", "Too many wrong.")
    firing = Firing.objects.get()
    assert (firing.worker_id, firing.batch_id, sanction.firing_id) == (worker.pk, batch.pk, firing.pk)
    assert [figure["metric"] for figure in firing.evidence["figures"]] == ["gold_answers", "gold_accuracy"]
    assert firing.evidence["figures"][0]["value"] == 10 and not firing.in_doubt
    # What he may read tells nothing of check questions.
    assert firing.told == {"rule": "misses", "answers_looked_at": 10, "figures": []}
    assert sanction.evidence == {"rule": "misses", "answers": 10, "metrics": []}
    assert rows(FIRED) == [("RuleFired", [worker.pk])]
    assert rows("SELECT kind, outcome FROM reputation_wanted") == [("limit", "limit in the project for 72 hours")]
    assert waiting() == [] and unfounded() == 0


def test_a_rule_fires_again_only_on_what_came_after_and_once_its_effect_is_over(committed: str, clock: Any) -> None:
    batch, worker = batch_with(MISSES), make.make_worker()
    wrong(worker, batch, 10)
    assert judged() == 1
    wrong(worker, batch, 10, first=11)
    assert judged() == 1
    assert Firing.objects.count() == 1  # its effect lasts
    clock(timedelta(hours=73))
    wrong(worker, batch, 5, first=21)
    assert judged() == 1
    # Fifteen wrong answers came after it.
    assert [f.evidence["figures"][0]["value"] for f in Firing.objects.order_by("pk")] == [10, 15]
    clock(timedelta(hours=73))
    wrong(worker, batch, 4, first=26)
    assert judged() == 1
    assert Firing.objects.count() == 2  # four new ones are too few


def test_the_same_rule_under_another_name_in_a_new_batch_limits_nobody_for_old_answers(
    committed: str, clock: Any
) -> None:
    batch, worker = batch_with(MISSES), make.make_worker()
    wrong(worker, batch, 10)
    judged()
    clock(timedelta(hours=73))
    new = make.make_batch(5, 0, quality={"rules": [rule(name="misses anew", words="New.")]}, project=batch.project)
    wrong(worker, new, 4, first=11)
    assert judged() == 1
    assert Firing.objects.count() == 1
    wrong(worker, new, 1, first=15)
    judged()
    assert [f.evidence["figures"][0]["value"] for f in Firing.objects.order_by("pk")] == [10, 5]


def test_after_a_sanction_that_a_person_lifted_evidence_begins_anew(committed: str) -> None:
    batch, worker = batch_with(MISSES), make.make_worker()
    wrong(worker, batch, 10)
    judged()
    with one_transaction(principal="test"):
        lift(sanction_id=Sanction.objects.get().pk, reason="On appeal: the photos were dark.", by=make.make_user().pk)
    # Other conditions, which the old answers would meet.
    stricter = rule(all=[{"metric": "gold_answers", "at_least": 6}, {"metric": "gold_accuracy", "below": 0.8}])
    new = make.make_batch(5, 0, quality={"rules": [stricter]}, project=batch.project)
    wrong(worker, new, 5, first=11)
    judged()
    assert Firing.objects.count() == 1
    wrong(worker, new, 5, first=16)
    judged()
    assert Firing.objects.count() == 2


def test_a_firing_on_all_answers_given_outlives_the_undoing_of_another_judgement(committed: str) -> None:
    many = [{"metric": "submitted", "at_least": 8}, {"metric": "answers", "at_least": 1}]
    batch, worker = batch_with(rule(all=many, window={"answers": 5}, then=[{"do": "notify"}])), make.make_worker()
    wrong(worker, batch, 7)
    judged()
    wrong(worker, batch, 1, first=8)
    judged()
    wrong(worker, batch, 3, first=9)
    judged()
    before = Firing.objects.count()
    assert before == 2
    with one_transaction(principal="test"):
        undo_outcomes(outcome_ids=[row[0] for row in make.outcomes("id", "kind = 'gold'")], reason="Wrong keys.")
    judged()
    assert value("SELECT count(*) FROM reputation_withdrawal") == 0


def test_the_moment_of_a_limit_tells_of_no_single_answer(committed: str) -> None:
    failed = [{"metric": "gold_answers", "at_least": 1}, {"metric": "gold_accuracy", "below": 1}]
    batch, other = batch_with(rule(all=failed)), make.make_worker()
    worker = make.make_worker()
    wrong(other, batch, 5)
    for number in range(1, 6):
        wrong(worker, batch, 1, first=number)
        judged()
        assert Sanction.objects.filter(user_id=worker.user_id).count() == (number == 5)


def test_answers_in_another_batch_of_the_project_end_no_step_of_few_answers(committed: str) -> None:
    failed = [{"metric": "gold_answers", "at_least": 1}, {"metric": "gold_accuracy", "below": 1}]
    batch = batch_with(rule(scope="batch", all=failed))
    free, worker = make.make_batch(1, project=batch.project), make.make_worker()
    seen = []
    for number in range(1, 26, 5):
        wrong(worker, free, 4, first=number)
        wrong(worker, batch, 1, first=number + 4)
        judged()
        seen.append(Sanction.objects.count())
    assert seen == [0, 0, 0, 0, 1]


def test_whatever_writes_an_outcome_has_the_worker_looked_at_where_there_are_rules(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    ruled, free = batch_with(MISSES), make.make_batch(1)
    worker = make.make_worker()
    insert = (
        "INSERT INTO reputation_outcome (worker_id, project_id, batch_id, requester_id, kind, made_at)"
        " SELECT %s, project_id, id, requester_id, 'answer', now() FROM batches_batch WHERE id = ANY(%s)"
    )
    as_owner.execute(insert, [worker.pk, [ruled.pk, free.pk]])
    assert waiting() == [(worker.pk, ruled.pk, False)]
    with one_transaction(principal="test"):
        staff = make.make_user()
        set_platform_rules(quality={"rules": [rule(scope="platform")]}, note="from today", by=staff.pk)
    as_owner.execute(insert, [worker.pk, [free.pk]])
    assert waiting()[1:] == [(worker.pk, free.pk, False)]
    with as_owner.transaction(force_rollback=True):
        as_owner.execute("DROP TRIGGER note_new ON reputation_outcome")
        as_owner.execute(insert, [worker.pk, [ruled.pk]])
        assert as_owner.execute("SELECT count(*) FROM reputation_toevaluate").fetchone() == (2,)


def test_what_is_taken_back_takes_the_firing_and_its_limit_with_it(committed: str) -> None:
    hold = {"do": "hold", "days": 3}
    batch, worker = batch_with(rule(then=[LIMIT, hold, {"do": "ask_review"}])), make.make_worker()
    wrong(worker, batch, 12)
    judged()
    with one_transaction(principal="test"):
        assert finish_wanted(wanted_id=take_wanted(kinds=["hold"], limit=5)[0].id, outcome="6 answers held")
    ids = [row[0] for row in make.outcomes("id", "kind = 'gold'")]
    with one_transaction(principal="test"):
        undo_outcomes(outcome_ids=ids[:1], reason="The key was wrong.")
    assert waiting() == [(worker.pk, batch.pk, True)]
    judged()
    assert live_sanctions([worker.user_id]).count() == 1  # nine wrong ones bear it still
    with one_transaction(principal="test"):
        undo_outcomes(outcome_ids=ids[1:6], reason="The key was wrong.")
    judged()
    assert not live_sanctions([worker.user_id]).exists()
    assert "taken back" in Sanction.objects.get().lift_reason
    assert rows("SELECT kind, outcome FROM reputation_wanted ORDER BY position") == [
        ("limit", "limit in the project for 72 hours"),
        ("hold", "6 answers held"),
        ("ask_review", "not done: the firing was withdrawn"),
        ("release", ""),
    ]
    assert [kind for kind, _ in rows(FIRED)] == ["RuleFired", "RuleWithdrawn"]
    assert unfounded() == 0
    judged()
    assert value("SELECT count(*) FROM reputation_withdrawal") == 1


def test_a_limit_that_outlives_its_withdrawn_firing_is_found(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    batch, worker = batch_with(MISSES), make.make_worker()
    wrong(worker, batch, 10)
    judged()
    as_owner.execute("INSERT INTO reputation_withdrawal (firing_id, reason) SELECT id, 'x' FROM reputation_firing")
    assert unfounded() == 1


def test_the_same_question_twice_and_a_sweep_of_nothing_change_nothing(committed: str, clock: Any) -> None:
    batch, worker = batch_with(MISSES), make.make_worker()
    wrong(worker, batch, 10)
    apply_rules()
    assert len(waiting()) == 1  # what comes within a second is looked at together
    clock(timedelta(seconds=2))
    apply_rules()
    apply_rules()
    assert judged() == 0
    assert Firing.objects.count() == Sanction.objects.count() == 1


def test_one_who_cannot_be_judged_does_not_stand_in_the_way_of_the_others(
    committed: str, as_owner: psycopg.Connection[Any], clock: Any
) -> None:
    batch, worker, other = batch_with(MISSES), make.make_worker(), make.make_worker()
    as_owner.execute(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF NEW.worker_id = {worker.pk} THEN RAISE 'broken'; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER broken BEFORE INSERT ON reputation_firing FOR EACH ROW EXECUTE FUNCTION broken()"
    )
    wrong(worker, batch, 10)
    wrong(other, batch, 10)
    clock(timedelta(seconds=2))
    apply_rules()
    assert [s.user_id for s in Sanction.objects.all()] == [other.user_id]
    assert waiting() == []


def test_the_ladder_is_climbed_rung_by_rung_and_ends_with_a_person(committed: str, clock: Any) -> None:
    batch, worker = batch_with(rule(then=[{"do": "escalate"}])), make.make_worker()
    for step in range(5):
        wrong(worker, batch, 8, first=1 + 8 * step)
        judged()
        clock(timedelta(hours=25 if step == 0 else 73))
    found = list(Sanction.objects.order_by("pk").values_list("measure", flat=True))
    assert found == ["slow_down", "extra_gold", "limit", "review", "review"]


def test_skills_are_set_and_adjusted_within_their_bounds(committed: str) -> None:
    requester = make.make_requester()
    with one_transaction(principal="test"):
        skill = create_skill(requester_id=requester.pk, kind="skill", name="Cats")
        other = create_skill(requester_id=requester.pk, kind="skill", name="Dogs")
    then = [
        {"do": "set_skill", "skill": str(skill.public_id), "value": 0.3},
        {"do": "adjust_skill", "skill": str(other.public_id), "by": -0.5},
    ]
    batch = batch_with(rule(then=then), project=make.make_project(requester))
    worker, unskilled = make.make_worker(), make.make_worker()
    with one_transaction(principal="test"):
        grant_skill(skill=other, worker_id=worker.pk, by=requester.members.get().user_id, evidence="exam", value=0.2)
    for first in (1, 11):
        assert not Grant.objects.exclude(evidence="exam").exists()  # they move with every twentieth answer
        wrong(worker, batch, 10, first=first)
        wrong(unskilled, batch, 10, first=first)
        judged()
    held = {(g.worker_id, g.skill_id): g.value for g in Grant.objects.filter(revoked_at=None)}
    assert held == {(worker.pk, skill.pk): 0.3, (worker.pk, other.pk): 0.0, (unskilled.pk, skill.pk): 0.3}


def test_a_withdrawn_firing_leaves_skills_as_they_were(committed: str) -> None:
    requester = make.make_requester()
    owner = requester.members.get().user_id
    with one_transaction(principal="test"):
        held, new, touched = (
            create_skill(requester_id=requester.pk, kind="skill", name=name) for name in ("Cats", "Dogs", "Eels")
        )
    then = [
        {"do": "adjust_skill", "skill": str(held.public_id), "by": -0.5},
        {"do": "set_skill", "skill": str(new.public_id), "value": 0.3},
        {"do": "set_skill", "skill": str(touched.public_id), "value": 0.3},
    ]
    batch, worker = batch_with(rule(then=then), project=make.make_project(requester)), make.make_worker()
    with one_transaction(principal="test"):
        grant = {"worker_id": worker.pk, "by": owner, "evidence": "exam"}
        grant_skill(skill=held, value=0.8, life=timedelta(days=9), **grant)
    wrong(worker, batch, 20)
    judged()
    assert {g.skill_id: g.value for g in Grant.objects.filter(revoked_at=None)} == {
        held.pk: pytest.approx(0.3), new.pk: 0.3, touched.pk: 0.3,
    }  # fmt: skip
    with one_transaction(principal="test"):
        grant_skill(skill=touched, value=0.9, **grant)
        undo_outcomes(outcome_ids=[row[0] for row in make.outcomes("id", "kind = 'gold'")], reason="Wrong keys.")
    judged()
    again, kept = Grant.objects.filter(revoked_at=None).order_by("skill_id")
    assert (again.skill_id, again.value, kept.skill_id, kept.value) == (held.pk, 0.8, touched.pk, 0.9)
    first = Grant.objects.get(skill=held, evidence="exam")
    assert abs(again.expires_at - first.expires_at) < timedelta(seconds=1)
    assert again.evidence.startswith("exam (What this rested on was taken back")
    assert "taken back" in Grant.objects.get(skill=new).revoked_reason
    done = rows("SELECT outcome FROM reputation_wanted WHERE kind = 'restore_skill' ORDER BY action->>'skill'")
    assert {row[0] for row in done} == {
        "Cats is 0.8 again", "Dogs is not held, as before", "not done: Eels was changed since",
    }  # fmt: skip


def test_what_is_wanted_of_others_is_taken_and_done_once(committed: str) -> None:
    batch, worker = batch_with(rule(then=[{"do": "raise_overlap", "by": 1, "answers": 9}])), make.make_worker()
    wrong(worker, batch, 10)
    judged()
    with one_transaction(principal="test"):
        assert take_wanted(kinds=["reopen"], limit=5) == []
        found = take_wanted(kinds=["raise_overlap"], limit=5)
        assert [(w.worker_id, w.batch_id, w.action["answers"], w.words) for w in found] == [
            (worker.pk, batch.pk, 9, "Too many wrong.")
        ]
        assert finish_wanted(wanted_id=found[0].id, outcome="9 tasks have one place more")
        assert not finish_wanted(wanted_id=found[0].id, outcome="again")
        assert take_wanted(kinds=["raise_overlap"], limit=5) == []
    assert value("SELECT outcome FROM reputation_wanted") == "9 tasks have one place more"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reputation_firing SET words = 'other'",
        "DELETE FROM reputation_firing",
        "UPDATE reputation_wanted SET action = '{}'",
        "UPDATE reputation_wanted SET outcome = 'other' WHERE done_at IS NOT NULL",
        "DELETE FROM reputation_wanted",
        "INSERT INTO reputation_toevaluate (worker_id, batch_id, undone) VALUES (1, 1, false)",
        "UPDATE reputation_platformrules SET quality = '{}'",
        "DELETE FROM reputation_withdrawal",
    ],
)
def test_the_site_itself_cannot_rewrite_what_rules_did(committed: str, statement: str) -> None:
    batch, worker = batch_with(MISSES), make.make_worker()
    wrong(worker, batch, 10)
    judged()
    with pytest.raises(DatabaseError), transaction.atomic():
        run(statement)


def test_even_the_owner_cannot_change_a_firing_by_a_slip(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    batch, worker = batch_with(MISSES), make.make_worker()
    wrong(worker, batch, 10)
    judged()
    for statement in ("UPDATE reputation_firing SET words = 'other'", "DELETE FROM reputation_wanted"):
        with pytest.raises(psycopg.errors.CheckViolation):
            as_owner.execute(statement)


@pytest.mark.django_db
def test_rules_of_the_platform_are_checked_kept_and_replaced_by_newer_ones() -> None:
    staff, worker, batch = make.make_user(), make.make_worker(), make.make_batch(1)
    with transaction.atomic(), pytest.raises(RulesInvalid) as refused:
        set_platform_rules(quality={"rules": [rule(then=[{"do": "ban"}])]}, note=" ", by=staff.pk)
    assert [e["field"] for e in refused.value.facts["errors"]] == ["quality.rules[0].then[0].do", "note"]
    everywhere = rule(scope="platform", then=[{"do": "limit", "scope": "platform", "hours": 1}])
    set_platform_rules(quality={"rules": [everywhere]}, note="first", by=staff.pk)
    place = {"worker_id": worker.pk, "project_id": batch.project_id, "batch_id": batch.pk}
    kinds = [Kind.ANSWER, Kind.GOLD] * 10
    record_outcomes([Judged(**place, kind=kind, score=0.0 if kind == Kind.GOLD else None) for kind in kinds])
    assert evaluate_due() == 1
    assert Sanction.objects.get().scope == "platform"
    set_platform_rules(quality={}, note="no more", by=staff.pk)
    record_outcomes([Judged(**place, kind=Kind.GOLD, score=0.0)])
    assert waiting() == []
