"""Outcomes of an earlier version are brought along: what they add up to is what is kept, both ways."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command

from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken
from workers.reputation.commands import record_outcomes
from workers.reputation.facets import GLOBAL, project_facet, type_facet
from workers.reputation.queries import facet_of, rebuilt

OLD = (
    "INSERT INTO reputation_outcome (worker_id, project_id, batch_id, score, made_at)"
    " VALUES (%s, %s, %s, %s, now() - %s)"
)
STANDING = (
    "INSERT INTO reputation_standing (worker_id, project_id, alpha, beta, evidence, answers, shown_alpha, shown_beta,"
    " changed_at) VALUES (%s, %s, %s, %s, %s, %s, 2, 1, now())"
)


def migrate(name: str | None) -> None:
    if name:
        call_command("migrate", "reputation", name, database="owner", verbosity=0)
    else:
        call_command("migrate", database="owner", verbosity=0)


@pytest.mark.slow
def test_a_database_with_outcomes_is_brought_along(
    committed: str, as_owner: psycopg.Connection[Any], migrator: Any
) -> None:
    first = make.make_draft()
    second = make.make_draft(make.make_project(first.project.requester))
    worker = make.make_worker().pk
    migrate("0002_rights")
    history = [(first, 1.0, 200), (first, None, 150), (second, 0.3, 90), (first, 0.0, 37), (second, 1.0, 1)]
    for batch, score, ago in history:
        as_owner.execute(OLD, [worker, batch.project_id, batch.pk, score, timedelta(days=ago)])
    as_owner.execute(STANDING, [worker, first.project_id, 3.0, 2.0, 2, 3])
    as_owner.execute(STANDING, [worker, second.project_id, 3.3, 1.7, 2, 2])

    migrate(None)

    assert sorted(make.outcomes("kind, score", f"project_id = {first.project_id}"), key=str) == [
        ("answer", None), ("answer", None), ("answer", None), ("gold", 0.0), ("gold", 1.0),
    ]  # fmt: skip
    assert set(make.outcomes("answer_type, requester_id")) == {("choice", first.project.requester_id)}
    for facet in (project_facet(first.project_id), project_facet(second.project_id), GLOBAL, type_facet("choice")):
        with one_transaction(principal="test"):
            assert facet_of(worker_id=worker, facet=facet) == rebuilt(worker_id=worker, facet=facet)
    assert facet_of(worker_id=worker, facet=GLOBAL).evidence == 4
    assert broken() == []

    with one_transaction(principal="test"):
        record_outcomes(make.judged(worker, first, 1.0, assignment_id=9))
    migrate("0002_rights")

    assert as_owner.execute(
        "SELECT score FROM reputation_outcome WHERE project_id = %s ORDER BY score", [first.project_id]
    ).fetchall() == [(0.0,), (1.0,), (1.0,), (None,)]
    assert as_owner.execute(
        "SELECT alpha, beta, evidence, answers FROM reputation_standing ORDER BY project_id"
    ).fetchall() == [(4.0, 2.0, 3, 4), (3.3, 1.7, 2, 2)]
    assert rows("SELECT * FROM inv_r40") == []
    migrate(None)
    assert broken() == []
