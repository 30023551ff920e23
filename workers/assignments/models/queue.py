"""How far workers are in a batch's queue, what they may still take of it, and what was taken out of it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from marketplace.batches.models import Batch, Task
from workers.profiles.models import Worker


class Walk(models.Model):
    """How far a worker has walked a batch's queue. All numbers only move on.

    Under `spread` `ranks` has the place that he came to in each bucket of his lane (64, then the 16 of newcomers, from
    their other end); for all that lanes miss, `step` counts buckets in an order of his own and `rank` is the place in
    the present one. Under the other orders `ranks` has the place in each level.
    """

    pk = models.CompositePrimaryKey("worker_id", "batch_id")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    seed = models.IntegerField()
    step = models.SmallIntegerField(default=0)
    rank = models.BigIntegerField(default=-1)
    ranks = ArrayField(models.BigIntegerField(null=True), default=list)
    gold_rank = models.BigIntegerField(default=0)
    gold_wrapped = models.BooleanField(default=False)


class Missed(models.Model):
    """A task behind the worker's walk that is worth another look by his next claim: another claim held it when he
    passed, or (`revival`) a lease of his own on it ran out; those come last, after everything he never tried."""

    pk = models.CompositePrimaryKey("worker_id", "batch_id", "task_id")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="+", db_index=False)
    revival = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["task"], name="missed_of_task")]


class Quota(models.Model):
    """How many places of a batch a person has used on a day, or in all (`day` is minus infinity); kept by a trigger
    where the batch limits it."""

    pk = models.CompositePrimaryKey("person_id", "batch_id", "day")
    person = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    used = models.PositiveIntegerField()


class Pair(models.Model):
    """How many tasks of a batch two people have held at the same time; kept by a trigger where the batch limits it."""

    pk = models.CompositePrimaryKey("batch_id", "low_id", "high_id")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    low = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    high = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    shared = models.PositiveSmallIntegerField()


class Quarantine(models.Model):
    """The books of a task that is, or was, in quarantine. `due` says that open places of it wait for their refund; a
    trigger sets it. `step` counts the refunds and holds made for the task, so that each has a key of its own."""

    task = models.OneToOneField(Task, on_delete=models.PROTECT, primary_key=True, related_name="+")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    step = models.PositiveIntegerField(default=0)
    due = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["batch", "task"], condition=Q(due=True), name="quarantine_due")]


class Spike(models.Model):
    """How many quarantined tasks a batch had when it was last paused for them; fewer once tasks were released."""

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, primary_key=True, related_name="+")
    seen = models.PositiveIntegerField()
