"""Personal streams with their entries, versions of topics, and the epoch that makes cursors comparable."""

from django.db import models


class Epoch(models.Model):
    """One row: while it stays, a stream's numbers mean the same facts."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.UUIDField()

    class Meta:
        db_table = "streams_epoch"


class Stream(models.Model):
    """The newest number of a stream, and the newest that is no longer kept."""

    name = models.TextField(primary_key=True)
    seq = models.BigIntegerField()
    trimmed = models.BigIntegerField()

    class Meta:
        db_table = "streams_stream"


class Entry(models.Model):
    """One fact of one stream."""

    pk = models.CompositePrimaryKey("stream", "seq")
    stream = models.TextField()
    seq = models.BigIntegerField()
    event_id = models.BigIntegerField()
    kind = models.TextField()
    body = models.JSONField()
    made_at = models.DateTimeField()
    stored_at = models.DateTimeField()

    class Meta:
        db_table = "streams_entry"
        constraints = [models.UniqueConstraint(fields=["stream", "event_id", "kind"], name="streams_fact_once")]
        indexes = [models.Index(fields=["stored_at"], name="streams_stored_at")]


class Reading(models.Model):
    """How far somebody has read a stream, in the numbers of an epoch: what is behind it is news to him. `reader` is the
    plain id of a user, for apps of people are no business of streams."""

    pk = models.CompositePrimaryKey("stream", "reader")
    stream = models.TextField()
    reader = models.BigIntegerField()
    epoch = models.UUIDField()
    seq = models.BigIntegerField()
    read_at = models.DateTimeField()

    class Meta:
        db_table = "streams_reading"


class Topic(models.Model):
    """How often what a topic shows may have changed."""

    name = models.TextField(primary_key=True)
    version = models.BigIntegerField()

    class Meta:
        db_table = "streams_topic"


class Skipped(models.Model):
    """An event that a route could not read."""

    event_id = models.BigIntegerField(primary_key=True)
    kind = models.TextField()
    error = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "streams_skipped"
