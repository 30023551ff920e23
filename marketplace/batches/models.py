"""Batches, their tasks and the queue of open places.

A task's row is narrow, because every claim locks and updates it; what is shown lies apart in `Payload`. Nothing in
`Task` says whether it is gold: that is known to `GoldKey` alone, which the runtime role may write but not read.
"""

from uuid import uuid4

from django.db import models
from django.db.models import Q

from marketplace.accounts.models import Requester
from marketplace.batches.states import BatchState, PauseReason
from marketplace.common.money import AMOUNT_MAX
from marketplace.projects.models import Project, Version
from workers.profiles.models import Worker

OVERLAP_MAX = 50
LEASE_CAP_MAX = 100


class Batch(models.Model):
    """Tasks released together under one set of terms, which never change after publication."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="batches")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="batches")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=BatchState.choices, default=BatchState.DRAFT)
    pause_reason = models.CharField(max_length=15, choices=PauseReason.choices, blank=True)
    currency = models.CharField(max_length=3)
    price_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    overlap = models.PositiveSmallIntegerField()
    time_limit_s = models.PositiveIntegerField()
    auto_accept_s = models.PositiveIntegerField()
    lease_cap = models.PositiveSmallIntegerField()
    audience = models.JSONField()
    gold_policy = models.JSONField()
    aggregation = models.JSONField()
    made_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(price_micros__gt=0, price_micros__lte=AMOUNT_MAX), name="batch_price"),
            models.CheckConstraint(condition=Q(fee_micros__gte=0, fee_micros__lte=AMOUNT_MAX), name="batch_fee"),
            models.CheckConstraint(condition=Q(overlap__gte=1, overlap__lte=OVERLAP_MAX), name="batch_overlap"),
            models.CheckConstraint(condition=Q(lease_cap__gte=1, lease_cap__lte=LEASE_CAP_MAX), name="batch_lease_cap"),
            models.CheckConstraint(
                condition=Q(time_limit_s__gte=1, time_limit_s__lte=604_800), name="batch_time_limit"
            ),
            models.CheckConstraint(
                condition=Q(auto_accept_s__gte=0, auto_accept_s__lte=2_592_000), name="batch_auto_accept"
            ),
            models.CheckConstraint(condition=Q(state__in=BatchState.values), name="batch_state"),
            models.CheckConstraint(
                condition=(Q(state="paused") & ~Q(pause_reason="")) | (~Q(state="paused") & Q(pause_reason="")),
                name="batch_pause_has_reason",
            ),
        ]

    @property
    def unit_micros(self) -> int:
        """What one accepted answer costs the requester."""
        return self.price_micros + self.fee_micros


class Import(models.Model):
    """One finished import: what it brought, for estimates and for provenance."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="imports")
    tasks = models.PositiveIntegerField()
    gold_tasks = models.PositiveIntegerField()
    reserved_tasks = models.PositiveIntegerField()
    places = models.PositiveBigIntegerField()
    body_sha256 = models.BinaryField()
    made_at = models.DateTimeField()


class Task(models.Model):
    """One item to be answered. `taken` is how many of its places are live; only a trigger writes it (R12)."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="tasks")
    external_id = models.CharField(max_length=200)
    overlap = models.PositiveSmallIntegerField()
    taken = models.PositiveSmallIntegerField(default=0)
    reserved = models.BooleanField(default=False)
    priority = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "external_id"], name="task_external_id"),
            models.CheckConstraint(condition=Q(overlap__gte=1, overlap__lte=OVERLAP_MAX), name="task_overlap"),
            models.CheckConstraint(condition=Q(taken__gte=0, taken__lte=models.F("overlap")), name="task_taken"),
        ]


class Payload(models.Model):
    """What a worker is shown of a task; never changed."""

    task = models.OneToOneField(Task, on_delete=models.PROTECT, primary_key=True, related_name="payload")
    batch_id = models.BigIntegerField()
    data = models.JSONField()


class GoldKey(models.Model):
    """The known answer of a gold task, and how many workers have been shown it. Read by `workers.gold` alone."""

    task = models.OneToOneField(Task, on_delete=models.PROTECT, primary_key=True, related_name="+")
    batch_id = models.BigIntegerField()
    key = models.JSONField()
    rank = models.BigIntegerField()
    cap = models.PositiveSmallIntegerField()
    shown = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["batch_id", "rank"], condition=Q(shown__lt=models.F("cap")), name="gold_supply")
        ]
        constraints = [models.CheckConstraint(condition=Q(shown__lte=models.F("cap")), name="gold_exposure_cap")]


class Reservation(models.Model):
    """A task kept for a named worker. `open` means that a look is worth while; a trigger reopens it with a place."""

    pk = models.CompositePrimaryKey("task_id", "worker_id")
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="reservations", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch_id = models.BigIntegerField()
    open = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["worker", "batch_id", "task"], condition=Q(open=True), name="reservation_open")]


class OpenPlace(models.Model):
    """A task with at least one open place, apart from its payload. Each worker walks the buckets in an order of his own
    and each bucket once; a task that was full and opens again goes to the tail, which every walk ends with."""

    task = models.OneToOneField(Task, on_delete=models.PROTECT, primary_key=True, related_name="+")
    batch_id = models.BigIntegerField()
    bucket = models.SmallIntegerField()
    rank = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch_id", "bucket", "rank"], name="open_place_order")]


class Tail(models.Model):
    """The last number given out in a batch's tail. Its row lock makes numbers appear in order of commit."""

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, primary_key=True, related_name="+")
    last = models.BigIntegerField(default=0)


class Counts(models.Model):
    """How many assignments of a batch are in each state."""

    leased = models.BigIntegerField(default=0)
    submitted = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    returned = models.BigIntegerField(default=0)
    expired = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class ProgressDelta(Counts):
    """One change of the counts, appended by a trigger, so that no row is hot; a sweep folds them into `Progress`."""

    batch_id = models.BigIntegerField(db_index=True)


class Progress(Counts):
    """The folded counts; what is true now is this plus the deltas not folded yet."""

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, primary_key=True, related_name="+")
