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
