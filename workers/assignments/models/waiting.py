"""Who waits for a place of a batch."""

from django.db import models
from django.db.models import Q

from marketplace.batches.models import Batch
from workers.profiles.models import Worker

WINDOW_MAX = 20


class Waiting(models.Model):
    """A worker who wants up to `window` live leases of a batch and waits for places; gone when he has them.

    `turn`, `score` and `since` are his place in line, fixed when he begins to wait (see `fairness`). He waits until
    `alive_until`, which heartbeats put off. After a refusal `refused` is its code, and he is looked at again from
    `retry_at` on; one who found nothing also as soon as a task opens again (`seen` is the number of the last one that
    had). What heartbeats and looks change is in no index, so that they cost little.
    """

    pk = models.CompositePrimaryKey("worker_id", "batch_id")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    window = models.SmallIntegerField()
    turn = models.BigIntegerField()
    score = models.FloatField()
    since = models.DateTimeField()
    alive_until = models.DateTimeField()
    retry_at = models.DateTimeField()
    refused = models.CharField(max_length=40, default="", blank=True)
    seen = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(window__gte=1, window__lte=WINDOW_MAX), name="waiting_window"),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="waiting_score"),
        ]
        indexes = [models.Index(fields=["batch", "turn", "-score", "since", "worker"], name="waiting_line")]
