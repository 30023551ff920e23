"""Results: what the answers of a batch say together, with confidence and provenance."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from marketplace.accounts.models import MARKET_NOW, User
from marketplace.batches.models import Batch, Task
from marketplace.results.states import Cause, DatasetState, PartKind, ReviewState, RulingReason
from workers.assignments.models import Assignment
from workers.assignments.states import RejectReason


class Run(models.Model):
    """One aggregation of a batch. It is never changed; a later one stands beside it. `final` was made at settlement,
    `with_gold` was given the requester's gold keys as known values."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="runs")
    method = models.CharField(max_length=30)
    tasks = models.PositiveIntegerField()
    answers = models.PositiveIntegerField()
    converged = models.BooleanField()
    iterations = models.PositiveIntegerField()
    final = models.BooleanField(default=False)
    with_gold = models.BooleanField(default=False, db_default=False)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch"], condition=Q(final=True), name="one_final_run_per_batch")
        ]


class Result(models.Model):
    """The aggregated value of one answer field of one task.

    `support` has for each object of the value, in its order, the share of the answers that have it, and of those that
    have it alike by 0.5 and by 0.75; null where the value is no list of objects.
    """

    pk = models.CompositePrimaryKey("run_id", "task_id", "field")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="results", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="+", db_index=False)
    field = models.CharField(max_length=100)
    value = models.JSONField(null=True)
    confidence = models.FloatField()
    answers = models.PositiveSmallIntegerField()
    method = models.CharField(max_length=30)
    version = models.PositiveIntegerField()
    # Not `objects`, which would hide the manager.
    support = models.JSONField(null=True, db_column="objects")

    class Meta:
        indexes = [models.Index(fields=["task"], name="result_of_task")]


class Provenance(models.Model):
    """On which answers the results of one task in a run rest: their assignments by rising id, and of each the revision
    that was read. A field rests on those of them that say something in it."""

    pk = models.CompositePrimaryKey("run_id", "task_id")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+", db_index=False)
    # No task with answers is ever deleted, so that nothing has to be looked for here when another one is.
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    assignments = ArrayField(models.BigIntegerField())
    revisions = ArrayField(models.SmallIntegerField())


class Consensus(models.Model):
    """What the answers to a task say so far. `values` holds for each field the value, its posterior and the answers;
    `posterior` is that of the least sure field.

    `sure` says that it is beyond doubt, `disputed` that its answers differ or somebody found it unclear, `settled` that
    no place is open and what could be judged is, `judged_at` when the first of its answers was judged by the others,
    which may be earlier. Not for workers' eyes: a task that everybody agrees on may become gold.
    """

    task = models.OneToOneField(Task, on_delete=models.PROTECT, primary_key=True, related_name="+")
    batch_id = models.BigIntegerField()
    values = models.JSONField()
    posterior = models.FloatField()
    answers = models.PositiveSmallIntegerField()
    unclear = models.PositiveSmallIntegerField()
    sure = models.BooleanField()
    made_at = models.DateTimeField()
    settled = models.BooleanField(default=False)
    judged_at = models.DateTimeField(null=True)
    disputed = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            models.Index(fields=["batch_id", "task"], name="consensus_of_batch"),
            models.Index(
                fields=["batch_id", "posterior", "task"],
                condition=Q(disputed=True, settled=True),
                name="consensus_disputed",
            ),
            models.Index(
                fields=["batch_id", "made_at"],
                condition=Q(sure=True, settled=False),
                name="consensus_sure",
            ),
        ]
        constraints = [models.CheckConstraint(condition=Q(posterior__gte=0, posterior__lte=1), name="consensus_range")]


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


class RejectionReview(models.Model):
    """Rejections that take effect only when somebody who is not of the requester says so. `evidence` has the figures of
    the moment; `applied_at` is when all of an approved one had taken effect. Steps are held by triggers."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=ReviewState.choices, default=ReviewState.OPEN)
    cause = models.CharField(max_length=9, choices=Cause.choices)
    reason = models.CharField(max_length=20, choices=RejectReason.choices)
    comment = models.TextField()
    evidence = models.JSONField()
    answers = models.PositiveIntegerField()
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision = models.TextField(blank=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(comment__regex=r"\S"), name="review_has_comment"),
            models.CheckConstraint(condition=Q(state__in=ReviewState.values), name="review_state"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state="open"), name="review_open"),
            models.Index(fields=["id"], condition=Q(state="approved", applied_at=None), name="review_to_apply"),
        ]


class RejectionItem(models.Model):
    """One answer under review; `submitted_at` says which, for it may have come back for repair and been given anew."""

    pk = models.CompositePrimaryKey("assignment_id", "submitted_at")
    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="+", db_index=False)
    submitted_at = models.DateTimeField()
    review = models.ForeignKey(RejectionReview, on_delete=models.PROTECT, related_name="items", db_index=False)
    agreed = models.BooleanField(null=True)
    # Whether it was rejected in the end, or had been decided otherwise before that.
    outcome = models.CharField(max_length=8, choices=[("rejected", "Rejected"), ("passed", "Passed")], blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["review", "assignment"], name="item_of_review"),
            models.Index(fields=["review"], condition=Q(outcome=""), name="item_waiting"),
        ]


class Adjudication(models.Model):
    """What somebody of the requester says a task's label is, and why. It is never changed; a later one of the task
    stands beside it, and of those that hold the last counts.

    One that took a worker's `answer` holds as long as that answer is paid or may yet be: nobody keeps the label of an
    answer that he refuses to pay (R42). `standing` is what the answers came to at the time and `agrees` whether that
    says the same, None where there was nothing. A `sampled` one was drawn by chance, and says how good the labels are.
    """

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="+", db_index=False)
    number = models.PositiveSmallIntegerField()
    values = models.JSONField()
    answer = models.ForeignKey(Assignment, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=12, choices=RulingReason.choices)
    words = models.TextField(blank=True)
    sampled = models.BooleanField(default=False)
    standing = models.JSONField(null=True)
    agrees = models.BooleanField(null=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="adjudication_number"),
            models.CheckConstraint(
                condition=Q(reason__in=RulingReason.values) & (~Q(reason="other") | Q(words__regex=r"\S")),
                name="adjudication_reason",
            ),
            models.CheckConstraint(condition=Q(sampled=False) | Q(agrees__isnull=False), name="adjudication_sampled"),
        ]
        indexes = [models.Index(fields=["batch", "id"], name="adjudication_of_batch")]


class ReviewDue(models.Model):
    """A rejection that has not become part of its worker's reputation: it does when nobody can contest it any more."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, primary_key=True, related_name="+")
    due_at = models.DateTimeField(db_index=True)


class Dataset(models.Model):
    """A numbered version of a batch's data set in one format. Once it is finished nothing of it ever changes.

    `after_task_id`, `items_written` and `stretch` say how far gathering and writing have come. Whoever builds it holds
    it under `token` until `held_until`; `attempts` counts how often somebody took it up and did not finish a step.
    """

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="datasets", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    format = models.CharField(max_length=40)
    # What the format's writer is told, and what shapes the data set whatever the format.
    options = models.JSONField()
    plan = models.JSONField()
    state = models.CharField(max_length=9, choices=DatasetState.choices, default=DatasetState.GATHERING)
    error = models.TextField(blank=True, default="")
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    touched_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    token = models.UUIDField(null=True)
    held_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    after_task_id = models.BigIntegerField(default=0)
    items = models.PositiveIntegerField(default=0)
    answers = models.PositiveBigIntegerField(default=0)
    items_written = models.PositiveIntegerField(default=0)
    stretch = models.PositiveIntegerField(default=0)
    tally = models.JSONField(default=dict)
    losses = models.JSONField(default=list)
    validation = models.JSONField(null=True)
    manifest = models.JSONField(null=True)
    content_sha256 = models.BinaryField(null=True)
    archive_sha256 = models.BinaryField(null=True)
    size = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="dataset_number"),
            models.CheckConstraint(condition=Q(state__in=DatasetState.values, number__gte=1), name="dataset_state"),
            models.CheckConstraint(
                condition=(Q(finished_at=None) & ~Q(state__in=["done", "failed"]))
                | Q(finished_at__isnull=False, state="failed", archive_sha256=None)
                | Q(
                    finished_at__isnull=False,
                    state="done",
                    archive_sha256__isnull=False,
                    content_sha256__isnull=False,
                    manifest__isnull=False,
                ),
                name="dataset_finished",
            ),
        ]
        indexes = [models.Index(fields=["touched_at"], condition=Q(finished_at=None), name="dataset_unfinished")]


class DatasetPart(models.Model):
    """A piece of a data set, kept in the database so that any process can go on with it and any can serve it. `at` is
    where it is in the archive; the archive is its parts by `at`. Rows are numbered by their first item."""

    pk = models.CompositePrimaryKey("of_id", "kind", "path", "stretch", "number")
    of = models.ForeignKey(
        Dataset, on_delete=models.PROTECT, db_column="dataset_id", related_name="parts", db_index=False
    )
    kind = models.CharField(max_length=6, choices=PartKind.choices)
    path = models.CharField(max_length=400, blank=True, default="")
    stretch = models.PositiveIntegerField(default=0)
    number = models.PositiveIntegerField(default=0)
    at = models.BigIntegerField(null=True)
    body = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["of", "at"], condition=~Q(at=None), name="dataset_part_at"),
        ]


class DatasetLink(models.Model):
    """An address from which whoever has it may download a finished version, until it expires or is ended, and while
    whoever made it might make another. Of its secret only the digest is kept. `used_at` is when a download by it was
    last written down."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    of = models.ForeignKey(Dataset, on_delete=models.PROTECT, db_column="dataset_id", related_name="links")
    digest = models.BinaryField(max_length=32, unique=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)


class Figures(models.Model):
    """Figures of a batch that look at its answers, as they were worked out last: `body` as `queries.figures.Look` keeps
    it, with worker ids that every reader replaces. `seen` are the batch's counts of that moment.

    They are worked out while somebody looks on (`wanted_at`), not more often than `took_ms` allows. `rests` says that
    nothing had changed since the time before: what follows answers by some seconds, as their verdicts, is in it.
    `begun_at` keeps two from working at once.
    """

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, primary_key=True, related_name="+")
    body = models.JSONField(default=dict, db_default={})
    seen = models.JSONField(default=dict, db_default={})
    rests = models.BooleanField(default=False, db_default=False)
    took_ms = models.PositiveIntegerField(default=0, db_default=0)
    wanted_at = models.DateTimeField(db_index=True)
    begun_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField(null=True)
