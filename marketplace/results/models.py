"""Results: what the answers of a batch say together, with confidence and provenance."""

from uuid import uuid4

from django.db import models
from django.db.models import Q

from marketplace.batches.models import Batch, Task


class Run(models.Model):
    """One aggregation of a batch. It is never changed; a later one stands beside it. `final` was made at settlement."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="runs")
    method = models.CharField(max_length=30)
    tasks = models.PositiveIntegerField()
    answers = models.PositiveIntegerField()
    converged = models.BooleanField()
    iterations = models.PositiveIntegerField()
    final = models.BooleanField(default=False)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch"], condition=Q(final=True), name="one_final_run_per_batch")
        ]


class Result(models.Model):
    """The aggregated value of one answer field of one task."""

    pk = models.CompositePrimaryKey("run_id", "task_id", "field")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="results", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="+", db_index=False)
    field = models.CharField(max_length=100)
    value = models.JSONField(null=True)
    confidence = models.FloatField()
    answers = models.PositiveSmallIntegerField()
    method = models.CharField(max_length=30)
    version = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["task"], name="result_of_task")]


class Consensus(models.Model):
    """What the answers to a task say so far. `values` holds for each field the value, its posterior and the answers;
    `posterior` is that of the least sure field.

    `doubt` is how many of the answers are expected to be wrong, and `variance` that of this number. `sure` says that it
    is beyond doubt, `settled` that no place is open and what could be judged is, `judged_at` when it first was. Not for
    workers' eyes: a task that everybody agrees on may become gold.
    """

    task = models.OneToOneField(Task, on_delete=models.PROTECT, primary_key=True, related_name="+")
    batch_id = models.BigIntegerField()
    values = models.JSONField()
    posterior = models.FloatField()
    answers = models.PositiveSmallIntegerField()
    unclear = models.PositiveSmallIntegerField()
    doubt = models.FloatField()
    variance = models.FloatField()
    sure = models.BooleanField()
    made_at = models.DateTimeField()
    settled = models.BooleanField(default=False)
    judged_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["batch_id", "task"], name="consensus_of_batch"),
            models.Index(
                fields=["batch_id", "made_at"],
                condition=Q(sure=True, settled=False, judged_at=None),
                name="consensus_sure",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(posterior__gte=0, posterior__lte=1, doubt__gte=0, variance__gte=0), name="consensus_range"
            )
        ]


class ToConsider(models.Model):
    """A task whose answers have changed since its consensus was made. `failures` counts how often making it failed; a
    task that failed three times stays here and stands in nobody's way."""

    pk = models.CompositePrimaryKey("batch_id", "task_id")
    batch_id = models.BigIntegerField()
    task_id = models.BigIntegerField()
    failures = models.PositiveSmallIntegerField(default=0)


class ToClose(models.Model):
    """A batch that takes no more work, and up to which task what could be judged there is."""

    batch_id = models.BigIntegerField(primary_key=True)
    after_task_id = models.BigIntegerField(default=0)
