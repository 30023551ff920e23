"""Tables every app shares: stored responses, and the outbox with its readers' cursors."""

from django.db import models


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
    id, in SQL only) orders it for readers, who stay below the horizon of running transactions (R22)."""

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
