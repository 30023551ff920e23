"""Celery entry points of gold."""

from typing import Any
from uuid import uuid4

from celery import Task, shared_task

from marketplace.common import sweeps
from marketplace.common.transactions import one_transaction
from workers.gold import commands
from workers.gold.commands import audit


@shared_task(bind=True)
def score_due(self: Task, **_: Any) -> None:
    """Score what waits, oldest first, until nothing does. Answers are written down before they are scored: one that
    kills its process is put aside, and not the sweep."""
    sweeps.write_down_left()
    task = sweeps.task_of(self)
    for _round in range(40):
        run_id = uuid4()
        with one_transaction(principal="system"):
            taken = commands.take_due(run_id=run_id, task=task)
        if not taken:
            return
        try:
            with one_transaction(principal="system"):
                commands.score_due(run_id=run_id)
        except Exception as error:
            sweeps.failed(run_id, error)
            raise
        # One alone may be one that a run died over. Fewer than fit were all that waited: what has come since is left to
        # the next run, for under load a look at each handful would cost more than the scoring.
        if 1 < taken < commands.GROUP:
            return


@sweeps.sweep
def flag_suspicious(**_: Any) -> None:
    """Take out keys that good workers keep failing, until none of those that were used lately is left to look at."""
    for _round in range(40):
        with one_transaction(principal="system"):
            looked_at = audit.flag_suspicious()
            if looked_at:
                sweeps.got_on()
        if looked_at < audit.GROUP:
            return
