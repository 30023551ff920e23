"""Hidden gold: each worker's schedule, answers that wait for the scoring step, and verdicts.

Nothing that a worker's request reads stands in `Verdict`: the runtime role may write it and not read it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from marketplace.accounts.models import User
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

    class Meta:
        indexes = [models.Index(fields=["batch"], name="schedule_of_batch")]


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
    """How one worker's answer compares with a gold key; `given` is what it says where the key says something."""

    pk = models.CompositePrimaryKey("task_id", "worker_id")
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="+", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch_id = models.BigIntegerField(db_index=True)
    score = models.FloatField()
    made_at = models.DateTimeField()
    given = models.JSONField(null=True)


class Commitment(models.Model):
    """What binds the market to keys before anybody meets them: the root of a tree of hashes (`commitment.py`).

    The first of a batch is made when it opens, with keys or without; each later one when keys are added. The seed, by
    which leaves were added that stand for no key, is for the gold reader alone.
    """

    pk = models.CompositePrimaryKey("batch_id", "seq")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    seq = models.SmallIntegerField()
    root = models.BinaryField()
    leaves = models.PositiveIntegerField()
    seed = models.BinaryField()
    made_at = models.DateTimeField()


class ToAudit(models.Model):
    """A key that somebody was judged by since the audit looked at it last."""

    task_id = models.BigIntegerField(primary_key=True)
    made_at = models.DateTimeField()


class Look(models.Model):
    """Who looked at the keys of a batch, and when. Never changed."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    what = models.CharField(max_length=20)
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["batch", "id"], name="look_at_batch")]
