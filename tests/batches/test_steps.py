"""A batch goes from state to state as the table says, also by raw SQL, and is never deleted."""

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState, may_become
from marketplace.common.database import run
from tests import factories as make

PATHS: dict[BatchState, list[BatchState]] = {
    BatchState.DRAFT: [],
    BatchState.PUBLISHED: [BatchState.PUBLISHED],
    BatchState.PAUSED: [BatchState.PUBLISHED, BatchState.PAUSED],
    BatchState.CLOSING: [BatchState.PUBLISHED, BatchState.CLOSING],
    BatchState.SETTLED: [BatchState.PUBLISHED, BatchState.CLOSING, BatchState.SETTLED],
    BatchState.CANCELLED: [BatchState.PUBLISHED, BatchState.CANCELLED],
}


def step(batch: Batch, state: BatchState) -> None:
    reason = "manual" if state == BatchState.PAUSED else ""
    run("UPDATE batches_batch SET state = %s, pause_reason = %s WHERE id = %s", [state, reason, batch.pk])


@pytest.mark.django_db
@pytest.mark.parametrize("start", BatchState)
@pytest.mark.usefixtures("untold")
def test_every_pair_of_states_passes_or_is_refused_as_the_table_says(start: BatchState) -> None:
    batch = make.make_draft()
    for state in PATHS[start]:
        step(batch, state)
    passed = set()
    for goal in set(BatchState) - {start}:
        point = transaction.savepoint()
        try:
            with transaction.atomic():
                step(batch, goal)
            passed.add(goal)
        except IntegrityError as error:
            assert "a batch does not go from" in str(error)
        transaction.savepoint_rollback(point)
    assert passed == {goal for goal in BatchState if goal != start and may_become(start, goal)}


def test_even_the_owner_deletes_no_batch(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    make.make_draft()
    with pytest.raises(psycopg.errors.CheckViolation, match="never deleted"):
        as_owner.execute("DELETE FROM batches_batch")
