"""Hidden gold: each worker's schedule, answers that wait for the scoring step, and verdicts.

Nothing that a worker's request reads stands in `Verdict`: the runtime role may write it and not read it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from marketplace.batches.models import Batch, Task
from workers.profiles.models import Worker


class Schedule(models.Model):
    """At which of his positions in a batch a worker is to be shown gold."""

    pk = models.CompositePrimaryKey("worker_id", "batch_id")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    position = models.PositiveIntegerField()
    phase_end = models.PositiveIntegerField()
    gold_positions = ArrayField(models.PositiveIntegerField())


class ToScore(models.Model):
    """An answer that the scoring step has not looked at; every answer passes here, gold or not."""

    pk = models.CompositePrimaryKey("assignment_id", "revision")
    assignment_id = models.BigIntegerField()
    revision = models.PositiveSmallIntegerField()
    task_id = models.BigIntegerField()
    batch_id = models.BigIntegerField()
    project_id = models.BigIntegerField()
    worker_id = models.BigIntegerField()
    values = models.JSONField()
    unclear = models.BooleanField()
    leased_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["made_at"], name="to_score_oldest")]


class Attempt(models.Model):
    """An answer of `ToScore` that a run of the scoring step has in hand, or died over `attempts` times."""

    pk = models.CompositePrimaryKey("assignment_id", "revision")
    assignment_id = models.BigIntegerField()
    revision = models.PositiveSmallIntegerField()
    run = models.UUIDField()
    attempts = models.PositiveSmallIntegerField(default=1)
    first_at = models.DateTimeField()
    parked_at = models.DateTimeField(null=True)


@dataclass(frozen=True)
class Waiting:
    """An answer on its way through `ToScore`, as plain values."""

    assignment_id: int
    revision: int
    task_id: int
    batch_id: int
    project_id: int
    worker_id: int
    values: dict[str, Any]
    unclear: bool
    leased_at: datetime | None
    made_at: datetime


class Verdict(models.Model):
    """How one worker's answer compares with a gold key."""

    pk = models.CompositePrimaryKey("task_id", "worker_id")
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="+", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch_id = models.BigIntegerField(db_index=True)
    score = models.FloatField()
    made_at = models.DateTimeField()
