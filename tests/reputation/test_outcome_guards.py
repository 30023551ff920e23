"""What raw SQL cannot do to outcomes and to what is kept of them, and what finds it if a wall is gone."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import transaction
from django.db.utils import DatabaseError

from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows, run
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken_views
from workers.reputation.commands import Judged, record_outcomes, undo_outcomes
from workers.reputation.states import Kind


class Scene:
    """One judged answer of a worker, by its ids."""

    def __init__(self) -> None:
        self.batch: Batch = make.make_draft()
        self.worker = make.make_worker().pk
        place = {"worker_id": self.worker, "project_id": self.batch.project_id, "batch_id": self.batch.pk}
        with one_transaction(principal="test"):
            record_outcomes(
                [
                    Judged(**place, score=0.0, kind=Kind.GOLD, truth="cat", given="dog", assignment_id=5),
                    Judged(**place, assignment_id=5),
                ]
            )
        self.gold, self.answer = [row[0] for row in make.outcomes("id")]

    def outcome(self, kind: str, score: str = "NULL", **more: str) -> str:
        """An insertion of an outcome of this worker."""
        columns = "".join(f", {name}" for name in more)
        values = "".join(f", {value}" for value in more.values())
        return (
            "INSERT INTO reputation_outcome (worker_id, project_id, requester_id, batch_id, kind, made_at, score"
            f"{columns}) VALUES ({self.worker}, {self.batch.project_id}, {self.batch.project.requester_id},"
            f" {self.batch.pk}, '{kind}', market_now(), {score}{values})"
        )

    def undo(self, score: str = "0", **changed: str) -> str:
        """An insertion of an undo of the judgement, true but for what is changed."""
        true = {
            "assignment_id": "5", "field": "'label'", "truth": "'cat'", "given": "'dog'", "answer_type": "'choice'",
            "undoes_id": str(self.gold), "reason": "'wrong'",
        }  # fmt: skip
        return self.outcome("undo", score, **(true | changed))


REFUSED: dict[str, tuple[str, Callable[[Scene], str]]] = {
    "read them": ("permission denied", lambda s: "SELECT score FROM reputation_outcome"),
    "read which are new": ("permission denied", lambda s: s.outcome("skip") + " RETURNING id"),
    "rewrite one": ("permission denied", lambda s: "UPDATE reputation_outcome SET score = 1"),
    "delete one": ("permission denied", lambda s: "DELETE FROM reputation_outcome"),
    "rewrite a change": ("permission denied", lambda s: "UPDATE reputation_change SET words = ''"),
    "forget a facet": ("permission denied", lambda s: "DELETE FROM reputation_facet"),
    "forget a confusion": ("permission denied", lambda s: "DELETE FROM reputation_confusion"),
    "judge twice": ("outcome_once", lambda s: s.outcome("gold", "1", assignment_id="5")),
    "answer twice": ("outcome_once", lambda s: s.outcome("answer", assignment_id="5")),
    "score an answer": ("outcome_score", lambda s: s.outcome("answer", "1")),
    "judge without a score": ("outcome_score", lambda s: s.outcome("gold")),
    "judge better than right": ("outcome_score", lambda s: s.outcome("gold", "1.5")),
    "judge by no number": ("outcome_score", lambda s: s.outcome("gold", "'NaN'")),
    "weigh more than a known answer": ("outcome_weight", lambda s: s.outcome("gold", "1", weight="2")),
    "weigh less than nothing": ("outcome_weight", lambda s: s.outcome("gold", "1", weight="-1")),
    "be quicker than at once": ("outcome_took", lambda s: s.outcome("answer", took_ms="-1")),
    "be easier than easy": ("outcome_easiness", lambda s: s.outcome("gold", "1", easiness="2")),
    "invent a kind": ("outcome_kind", lambda s: s.outcome("blessing", "1")),
    "undo without a reason": ("outcome_undo", lambda s: s.undo(reason="''")),
    "undo nothing": ("undo_of", lambda s: s.undo(undoes_id="NULL")),
    "undo an answer": ("undo_of", lambda s: s.undo(undoes_id=str(s.answer))),
    "undo more than there was": ("undo_of", lambda s: s.undo(score="1")),
    "undo less than there was": ("undo_of", lambda s: s.undo(weight="0.5")),
    "undo another label": ("undo_of", lambda s: s.undo(given="'cat'")),
    "undo by a judgement": ("outcome_undo", lambda s: s.outcome("gold", "0", undoes_id=str(s.gold))),
}


@pytest.mark.django_db
@pytest.mark.parametrize("attack", REFUSED)
def test_the_runtime_role_cannot(attack: str) -> None:
    scene = Scene()
    wall, statement = REFUSED[attack]
    with pytest.raises(DatabaseError, match=wall), transaction.atomic():
        run(statement(scene))
    assert broken_views() == []


@pytest.mark.django_db
def test_what_is_undone_is_not_undone_again() -> None:
    scene = Scene()
    with one_transaction(principal="test"):
        assert undo_outcomes(outcome_ids=[scene.gold], reason="wrong") == 1
    with pytest.raises(DatabaseError, match="outcome_undone_once"), transaction.atomic():
        run(scene.undo())
    assert broken_views() == []


@pytest.mark.django_db
def test_the_gold_reader_reads_and_nothing_else() -> None:
    Scene()
    for attack in ("UPDATE reputation_outcome SET score = 1", "DELETE FROM reputation_outcome"):
        with (
            pytest.raises(DatabaseError, match="permission denied"),
            one_transaction(principal="test"),
            acting_as("gold_reader"),
        ):
            run(attack)


@pytest.mark.parametrize("table", ["reputation_outcome", "reputation_change"])
@pytest.mark.parametrize("attack", ["UPDATE {} SET made_at = now()", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_even_the_owner_cannot_change_history_by_a_slip(
    committed: str, as_owner: psycopg.Connection[Any], table: str, attack: str
) -> None:
    scene = Scene()
    with one_transaction(principal="test"):
        record_outcomes(make.judged(scene.worker, scene.batch, 1.0) * 20)
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        as_owner.execute(attack.format(table))


# What takes a wall down, what then gets through, and which view sees it.
MUTANTS: dict[str, tuple[str, Callable[[Scene], str], str]] = {
    "each thing once": (
        "DROP INDEX outcome_once", lambda s: s.outcome("gold", "0", assignment_id="5"), "inv_r40",
    ),
    "append-only": (
        "DROP TRIGGER closed ON reputation_outcome; GRANT UPDATE, SELECT ON reputation_outcome TO touchstone_runtime",
        lambda s: "UPDATE reputation_outcome SET score = 1 WHERE kind = 'gold'",
        "inv_r40",
    ),
    "an undo as it was recorded": (
        "DROP TRIGGER undo_of ON reputation_outcome", lambda s: s.undo(score="1"), "inv_r40",
    ),
    "each undone once": (
        "DROP INDEX outcome_undone_once", lambda s: s.undo(), "inv_r40",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_each_wall_alone_stops_its_attack_and_without_it_the_damage_is_seen(
    committed: str, as_owner: psycopg.Connection[Any], mutant: str
) -> None:
    scene = Scene()
    if mutant == "each undone once":
        with one_transaction(principal="test"):
            undo_outcomes(outcome_ids=[scene.gold], reason="wrong")
    down, attack, view = MUTANTS[mutant]
    with pytest.raises(DatabaseError), transaction.atomic():
        run(attack(scene))
    assert broken_views() == []
    as_owner.execute(down)
    run(attack(scene))
    assert view in broken_views()


DAMAGE = {
    "inv_r40": [
        "UPDATE reputation_standing SET alpha = alpha + 0.01",
        "UPDATE reputation_standing SET beta = beta * 0.9",
        "UPDATE reputation_standing SET answers = answers + 1",
        "UPDATE reputation_standing SET evidence = 7",
        "UPDATE reputation_standing SET day = day - 3",
    ],
    "inv_r40_facets": [
        "UPDATE reputation_facet SET beta = 0.5 WHERE facet = 'global'",
        "UPDATE reputation_facet SET evidence = 3 WHERE facet LIKE 'class:%%'",
        "UPDATE reputation_facet SET facet = 'type:number' WHERE facet = 'type:choice'",
    ],
    "inv_r40_confusion": [
        "UPDATE reputation_confusion SET weight = 2",
        "UPDATE reputation_confusion SET given = 'cat'",
    ],
}


@pytest.mark.django_db
@pytest.mark.parametrize(("view", "damage"), [(view, one) for view, found in DAMAGE.items() for one in found])
def test_what_is_kept_and_does_not_add_up_is_seen(view: str, damage: str) -> None:
    Scene()
    assert broken_views() == []
    with transaction.atomic():
        assert run(damage.replace("%%", "%")) == 1
        assert broken_views() == [view]
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_stranger_starts_as_the_prior_says() -> None:
    """The database makes new standings, and must start from what the program starts from."""
    from workers.reputation.scoring import PRIOR

    scene = Scene()
    [(alpha, beta, shown_alpha, shown_beta)] = rows(
        "SELECT alpha, beta, shown_alpha, shown_beta FROM reputation_standing WHERE worker_id = %s", [scene.worker]
    )
    assert (alpha, beta, shown_alpha, shown_beta) == (PRIOR.alpha, PRIOR.beta + 1, PRIOR.alpha, PRIOR.beta)
