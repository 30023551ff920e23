"""Tables every app shares: stored responses, the outbox with its readers' cursors, runs of sweeps, dead letters, and
what walks over everything found."""

from uuid import uuid4

from django.db import models
from django.db.models import Q


class Idempotency(models.Model):
    """The answer to one write, by who asked and under which key; kept for 30 days."""

    pk = models.CompositePrimaryKey("principal", "key")
    principal = models.TextField()
    key = models.TextField()
    body_hash = models.BinaryField()
    status = models.SmallIntegerField(null=True)
    body = models.BinaryField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        db_table = "common_idempotency"
        indexes = [models.Index(fields=["made_at"], name="idempotency_made_at")]


class OutboxEvent(models.Model):
    """Something that happened, written in the transaction in which it happened. The column `xid` (its transaction's
    id, in SQL only) orders it for readers, who stay below the horizon of running transactions (R22); `request` (in SQL
    only too) is the request whose transaction it was."""

    kind = models.TextField()
    body = models.JSONField()
    made_at = models.DateTimeField()

    class Meta:
        db_table = "common_outbox"


class OutboxCursor(models.Model):
    """How far one reader has come; with `xid` in SQL only."""

    reader = models.TextField(primary_key=True)
    last_id = models.BigIntegerField()
    moved_at = models.DateTimeField()

    class Meta:
        db_table = "common_outboxcursor"


class SweepRun(models.Model):
    """A run of a sweep, written down before it begins and removed when it ends; `died_at` once its process is known to
    have died. `life` tells apart what one worker was before and after a restart. Of a run `on_items` not the sweep is
    to blame, but what it had in hand."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    task = models.UUIDField(db_index=True)
    name = models.TextField()
    worker = models.TextField()
    life = models.UUIDField()
    started_at = models.DateTimeField()
    on_items = models.BooleanField(default=False)
    died_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        db_table = "common_sweeprun"


class DeadLetter(models.Model):
    """What was put aside after it killed its process too often: a whole sweep, or one item of work. Staff may have it
    tried again."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.TextField()
    subject = models.TextField()
    error = models.TextField()
    times = models.PositiveSmallIntegerField()
    first_at = models.DateTimeField()
    parked_at = models.DateTimeField()
    retried_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "common_deadletter"
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], condition=Q(retried_at=None), name="one_dead_letter")
        ]


class Walk(models.Model):
    """What the last walk of a name over all that was ever written found (`common.walks`)."""

    name = models.TextField(primary_key=True)
    found = models.JSONField()
    made_at = models.DateTimeField()

    class Meta:
        db_table = "common_walk"
