"""Batches, their tasks and the queue of open places.

A task's row is narrow, because every claim locks and updates it; what is shown lies apart in `Payload`. Nothing in
`Task` says whether it is gold: that is known to `GoldKey` alone, which the runtime role may write but not read.
"""

from uuid import uuid4

from django.db import models
from django.db.models import Q

from marketplace.accounts.models import Requester
from marketplace.batches.costs import topup_place
from marketplace.batches.states import (
    BatchKind,
    BatchState,
    ImportState,
    KeyLane,
    KeyOrigin,
    KeyState,
    Order,
    PauseReason,
)
from marketplace.common.money import AMOUNT_MAX, BASIS_POINTS
from marketplace.projects.models import Project, Version
from workers.profiles.models import Worker

NAME_LENGTH = 200
OVERLAP_MAX = 50
LEVELS = 64
PRIORITY_MAX = 9
LEASE_CAP_MAX = 100
WEEK_S = 604_800
LIMIT_MAX = 1_000_000_000
PAIR_LIMIT_MAX = 10_000
TOPUP_MAX = 10 * BASIS_POINTS  # ten times the price


class Batch(models.Model):
    """Tasks released together under one set of terms, which never change after publication.

    `pilot` is the pilot that was published before this one, of some of the same items. `continues` is the batch that
    was stopped so that this one goes on with what it left undone. `expected_s` is how long its requester thinks that
    an answer takes, for forecasts until it is measured.
    """

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="batches")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="batches")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=NAME_LENGTH)
    kind = models.CharField(
        max_length=7, choices=BatchKind.choices, default=BatchKind.REGULAR, db_default=BatchKind.REGULAR
    )
    pilot = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="rests")
    continues = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="continued_by")
    expected_s = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=10, choices=BatchState.choices, default=BatchState.DRAFT)
    pause_reason = models.CharField(max_length=15, choices=PauseReason.choices, blank=True)
    currency = models.CharField(max_length=3)
    price_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    overlap = models.PositiveSmallIntegerField()
    time_limit_s = models.PositiveIntegerField()
    auto_accept_s = models.PositiveIntegerField()
    lease_cap = models.PositiveSmallIntegerField()
    order = models.CharField(max_length=12, choices=Order.choices, default=Order.SPREAD)
    lease_max_s = models.PositiveIntegerField(default=3_600)
    worker_limit = models.PositiveIntegerField(null=True)
    daily_limit = models.PositiveIntegerField(null=True)
    pair_limit = models.PositiveSmallIntegerField(null=True)
    max_attempts = models.PositiveSmallIntegerField(default=5)
    head_start_s = models.PositiveIntegerField(default=0)
    fee_basis_points = models.PositiveIntegerField(default=0)
    fee_minimum_micros = models.BigIntegerField(default=0)
    dispute_basis_points = models.PositiveIntegerField(default=0)
    appeal_s = models.PositiveIntegerField(default=0)
    target_hourly_micros = models.BigIntegerField(null=True)
    topup_basis_points = models.PositiveIntegerField(default=0)
    audience = models.JSONField()
    gold_policy = models.JSONField()
    aggregation = models.JSONField()
    quality = models.JSONField(default=dict, db_default={})
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
            models.CheckConstraint(condition=Q(time_limit_s__gte=1, time_limit_s__lte=WEEK_S), name="batch_time_limit"),
            models.CheckConstraint(
                condition=Q(lease_max_s__gte=models.F("time_limit_s"), lease_max_s__lte=WEEK_S), name="batch_lease_max"
            ),
            models.CheckConstraint(condition=Q(order__in=Order.values), name="batch_order"),
            models.CheckConstraint(
                condition=(Q(worker_limit=None) | Q(worker_limit__gte=1))
                & (Q(daily_limit=None) | Q(daily_limit__gte=1))
                & (Q(pair_limit=None) | Q(pair_limit__gte=1)),
                name="batch_limits",
            ),
            models.CheckConstraint(condition=Q(max_attempts__gte=1, max_attempts__lte=100), name="batch_max_attempts"),
            models.CheckConstraint(condition=Q(head_start_s__lte=WEEK_S), name="batch_head_start"),
            models.CheckConstraint(
                condition=Q(fee_basis_points__lte=BASIS_POINTS)
                & Q(dispute_basis_points__lte=BASIS_POINTS)
                & Q(fee_minimum_micros__gte=0, fee_minimum_micros__lte=AMOUNT_MAX),
                name="batch_shares",
            ),
            models.CheckConstraint(
                condition=Q(target_hourly_micros=None, topup_basis_points=0)
                | Q(
                    target_hourly_micros__gte=1,
                    target_hourly_micros__lte=AMOUNT_MAX,
                    topup_basis_points__gte=1,
                    topup_basis_points__lte=TOPUP_MAX,
                ),
                name="batch_topup",
            ),
            models.CheckConstraint(
                condition=Q(auto_accept_s__gte=0, auto_accept_s__lte=2_592_000), name="batch_auto_accept"
            ),
            models.CheckConstraint(condition=Q(state__in=BatchState.values), name="batch_state"),
            models.CheckConstraint(condition=Q(kind__in=BatchKind.values), name="batch_kind"),
            models.CheckConstraint(
                condition=Q(expected_s=None) | Q(expected_s__gte=1, expected_s__lte=WEEK_S), name="batch_expected"
            ),
            models.CheckConstraint(
                condition=Q(quality={}) | Q(quality__has_any_keys=["preset", "rules"]), name="batch_quality"
            ),
            models.CheckConstraint(
                condition=(Q(state="paused") & ~Q(pause_reason="")) | (~Q(state="paused") & Q(pause_reason="")),
                name="batch_pause_has_reason",
            ),
        ]

    @property
    def unit_micros(self) -> int:
        """What one accepted answer costs the requester."""
        return self.price_micros + self.fee_micros

    @property
    def topup_place_micros(self) -> int:
        """What a top-up of one answer costs the requester at most."""
        return topup_place(self.price_micros, self.topup_basis_points, self.fee_basis_points)


class Import(models.Model):
    """A file on its way into a draft batch, and afterwards what it brought.

    `bytes_done`, `rows_read` and `header` say where the next row begins; `tasks` to `places` what is in the tables now.
    Until `finished_at` is set nothing of it is shown, the batch takes no other import and cannot be published. Its
    tasks are those of the batch whose id is above `after_task_id`: imports of one batch follow each other.
    """

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="imports")
    state = models.CharField(max_length=9, choices=ImportState.choices)
    kind = models.CharField(max_length=12, default="jsonl")
    # Whose request brings the body, so that its repeat goes on instead of standing in its own way; and which repeat.
    principal = models.TextField(default="")
    key = models.TextField(default="")
    attempt = models.PositiveSmallIntegerField(default=1)
    bytes_total = models.BigIntegerField(default=0)
    bytes_done = models.BigIntegerField(default=0)
    rows_read = models.PositiveIntegerField(default=0)
    header = models.JSONField(null=True)
    # Which column of the file is what, by what it is: `{"data.text": "body"}`. None: columns are called what they are.
    mapping = models.JSONField(null=True)
    # How much of the file is not taken, by its name there.
    left_out = models.JSONField(default=dict, db_default={})
    errors = models.JSONField(default=list)
    error_count = models.PositiveIntegerField(default=0)
    tasks = models.PositiveIntegerField(default=0)
    gold_tasks = models.PositiveIntegerField(default=0)
    reserved_tasks = models.PositiveIntegerField(default=0)
    places = models.PositiveBigIntegerField(default=0)
    after_task_id = models.BigIntegerField(default=0)
    body_sha256 = models.BinaryField(null=True)
    made_at = models.DateTimeField()
    touched_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch"], condition=Q(finished_at=None), name="one_import_at_a_time"),
            models.CheckConstraint(condition=Q(state__in=ImportState.values), name="import_state"),
            models.CheckConstraint(
                condition=(Q(finished_at=None) & ~Q(state="done"))
                | (~Q(finished_at=None) & (Q(state="done") | Q(state__in=["failed", "cancelled"], tasks=0, places=0))),
                name="import_finished",
            ),
        ]


class ImportPart(models.Model):
    """A piece of a body, until its rows are tasks: kept in the database, so that any process can go on with it."""

    pk = models.CompositePrimaryKey("of_id", "number")
    of = models.ForeignKey(
        Import, on_delete=models.PROTECT, db_column="import_id", related_name="parts", db_index=False
    )
    number = models.PositiveIntegerField()
    body = models.BinaryField()


class Task(models.Model):
    """One item to be answered. `taken` is how many of its places are live (R12), `attempts` how many workers gave it
    up, `refunded` for how many of its places the money went back after `quarantined_at` (R19); triggers write them."""

    # A trigger looks once for each statement, and not for each row, that the batch is there and a draft.
    batch = models.ForeignKey(
        Batch, on_delete=models.PROTECT, related_name="tasks", db_constraint=False, db_index=False
    )
    external_id = models.CharField(max_length=200)
    overlap = models.SmallIntegerField()
    taken = models.SmallIntegerField(default=0)
    reserved = models.BooleanField(default=False)
    # The level of the queue where the order has levels: a higher one comes first.
    priority = models.SmallIntegerField(default=0)
    attempts = models.SmallIntegerField(default=0)
    quarantined_at = models.DateTimeField(null=True)
    refunded = models.SmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "external_id"], name="task_external_id"),
            models.CheckConstraint(condition=Q(overlap__gte=1, overlap__lte=OVERLAP_MAX), name="task_overlap"),
            # A place whose money went back can be taken by nobody.
            models.CheckConstraint(
                condition=Q(taken__gte=0, taken__lte=models.F("overlap") - models.F("refunded")), name="task_taken"
            ),
            models.CheckConstraint(condition=Q(priority__gte=0, priority__lt=LEVELS), name="task_priority"),
            models.CheckConstraint(
                condition=Q(refunded=0) | Q(refunded__gt=0, quarantined_at__isnull=False), name="task_refunded"
            ),
        ]
        indexes = [
            models.Index(fields=["batch", "id"], condition=~Q(quarantined_at=None), name="task_quarantined"),
            models.Index(fields=["batch"], condition=Q(reserved=True), name="task_reserved"),
        ]


class Payload(models.Model):
    """What a worker is shown of a task; never changed. Triggers keep it and its task together."""

    task = models.OneToOneField(
        Task, on_delete=models.PROTECT, primary_key=True, related_name="payload", db_constraint=False
    )
    batch_id = models.BigIntegerField()
    data = models.JSONField()


class GoldKey(models.Model):
    """The known answer of a gold task, and how many workers have been shown it. Read by `workers.gold` alone.

    One that the requester brought makes its task gold for ever; one that the crowd agreed on (`consensus`) makes what
    is left of an ordinary task gold while it is live or flagged. Only live ones are shown and count. `why` says what a
    waiting one waits for: `alike` (a key like it, `alike_id`, was shown or is live) or `ask` (the requester's word).
    `earlier` is how many workers had the task before it was gold, `frozen` what `shown` was when the key went out of
    use, `sealed` the number of the commitment that it is part of, `confirmed_at` when its requester last said of the
    flagged key that it is right. `lane` says whether newcomers or others were shown it first: it stays with them. Key
    and salt never change.
    """

    task = models.OneToOneField(Task, on_delete=models.PROTECT, primary_key=True, related_name="+")
    batch_id = models.BigIntegerField()
    key = models.JSONField()
    rank = models.BigIntegerField()
    cap = models.PositiveSmallIntegerField()
    shown = models.PositiveSmallIntegerField(default=0)
    origin = models.CharField(max_length=9, choices=KeyOrigin.choices, default=KeyOrigin.REQUESTER)
    state = models.CharField(max_length=7, choices=KeyState.choices, default=KeyState.LIVE)
    why = models.CharField(max_length=5, default="", blank=True)
    salt = models.BinaryField()
    simhash = models.BigIntegerField(null=True)
    alike_id = models.BigIntegerField(null=True)
    posterior = models.FloatField(null=True)
    earlier = models.SmallIntegerField(default=0)
    lane = models.CharField(max_length=5, choices=KeyLane.choices, blank=True, default="", db_default="")
    frozen = models.SmallIntegerField(null=True)
    sealed = models.SmallIntegerField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    added_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["batch_id", "rank"],
                condition=Q(shown__lt=models.F("cap"), state="live"),
                name="gold_supply",
            ),
            models.Index(fields=["batch_id", "task"], name="gold_of_batch"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(shown__lte=models.F("cap")), name="gold_exposure_cap"),
            models.CheckConstraint(
                condition=Q(origin__in=KeyOrigin.values, state__in=KeyState.values), name="gold_key_state"
            ),
            models.CheckConstraint(condition=Q(lane__in=KeyLane.values), name="gold_key_lane"),
        ]


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
    """A task with at least one open place, apart from its payload; filled by the trigger that sees the task arrive.

    Under `spread` each worker walks 64 buckets in an order of his own and each once; a task that was full and opens
    again goes to bucket 64, the tail, with which every walk ends. Under the other orders a bucket is a level, all
    workers walk them from the highest, and a task that opens again goes to the end of its level (`sequential` and
    `depth_first`: to level 1, before all others).
    """

    task = models.OneToOneField(Task, on_delete=models.PROTECT, primary_key=True, related_name="+", db_constraint=False)
    batch_id = models.BigIntegerField()
    bucket = models.SmallIntegerField()
    rank = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch_id", "bucket", "rank"], name="open_place_order")]


class Tail(models.Model):
    """The last number given to a task that opened again; its row lock makes numbers appear in order of commit. And how
    many tasks and places the batch has, counted by the trigger that sees them arrive."""

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, primary_key=True, related_name="+")
    last = models.BigIntegerField(default=1 << 60)
    tasks = models.BigIntegerField(default=0)
    places = models.BigIntegerField(default=0)


class MorePlaces(models.Model):
    """Places that were added to tasks of a running batch, numbered; a function writes it, with the money or not at all.

    `disputes` is for how many rejections more money lies aside because of them; `open` only while the function runs.
    """

    pk = models.CompositePrimaryKey("batch_id", "number")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="more_places", db_index=False)
    number = models.PositiveIntegerField()
    tasks = models.PositiveIntegerField(default=0)
    places = models.BigIntegerField(default=0)
    disputes = models.BigIntegerField(default=0)
    open = models.BooleanField(default=True)
    made_at = models.DateTimeField()


class Counts(models.Model):
    """How many assignments of a batch are in each state, and how many of its tasks are quarantined."""

    leased = models.BigIntegerField(default=0)
    submitted = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    returned = models.BigIntegerField(default=0)
    expired = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class ProgressDelta(Counts):
    """One change of the counts, appended by a trigger, so that no row is hot; a sweep folds them into `Progress`."""

    batch_id = models.BigIntegerField(db_index=True)


class Progress(Counts):
    """The folded counts; what is true now is this plus the deltas not folded yet."""

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, primary_key=True, related_name="+")
