"""Doubt about answers: they are held, given no vote, or to be looked at."""

from datetime import timedelta

from django.db import models
from django.db.models import Q

from marketplace.accounts.models import User
from marketplace.batches.models import Batch
from workers.assignments.models.work import Assignment
from workers.profiles.models import Worker

# As long as a decision may wait by the terms of any batch, and seven days.
HOLD_MAX = timedelta(days=37)


def made_by_one(name: str) -> models.CheckConstraint:
    """A quality rule did it, by the firing with this id, or a person; never both, never nobody."""
    return models.CheckConstraint(
        condition=Q(firing_id=None, made_by__isnull=False) | Q(firing_id__isnull=False, made_by=None), name=name
    )


class Hold(models.Model):
    """A worker's answers in a batch are not accepted by themselves before `until`, and never later than seven days
    after their deadline; somebody may decide them meanwhile. It ends once, and is otherwise never changed."""

    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    until = models.DateTimeField()
    reason = models.TextField()
    firing_id = models.BigIntegerField(null=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            made_by_one("hold_made_by"),
            models.CheckConstraint(condition=~Q(reason=""), name="hold_has_reason"),
            models.CheckConstraint(
                condition=Q(until__gt=models.F("made_at")) & Q(until__lte=models.F("made_at") + HOLD_MAX),
                name="hold_is_short",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="") | (Q(ended_at__isnull=False) & ~Q(end_reason="")),
                name="hold_end_has_reason",
            ),
            models.UniqueConstraint(fields=["firing_id", "worker", "batch"], name="hold_once"),
        ]
        indexes = [models.Index(fields=["worker", "batch", "until"], condition=Q(ended_at=None), name="hold_live")]


class Discount(models.Model):
    """An answer that gives no vote in results, and why; what it earned stays. Never changed."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, primary_key=True, related_name="discount")
    reason = models.TextField()
    firing_id = models.BigIntegerField(null=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            made_by_one("discount_made_by"),
            models.CheckConstraint(condition=~Q(reason=""), name="discount_has_reason"),
        ]


class ReviewWish(models.Model):
    """A wish that the requester look at an answer himself, and why; fulfilled when the answer is decided."""

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="review_wishes", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = models.TextField()
    firing_id = models.BigIntegerField(null=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            made_by_one("reviewwish_made_by"),
            models.CheckConstraint(condition=~Q(reason=""), name="reviewwish_has_reason"),
            models.UniqueConstraint(
                fields=["assignment", "firing_id", "made_by"], nulls_distinct=False, name="reviewwish_once"
            ),
        ]
        indexes = [models.Index(fields=["batch", "id"], name="reviewwish_of_batch")]
