"""Assignments: one worker's leased claim on one place of one task, its answers, and what became due for it."""

from uuid import uuid4

from django.db import models
from django.db.models import Q

from marketplace.accounts.models import User
from marketplace.batches.models import Batch, Task
from marketplace.common.money import AMOUNT_MAX
from marketplace.projects.models import Version
from workers.assignments.states import LIVE, RejectReason, State
from workers.profiles.models import Worker


class Assignment(models.Model):
    """Steps between states, the fence by token, places and counters are held by triggers (see the migrations)."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    # Whatever the trigger of a new lease has read anyhow, and nobody can delete, goes without a check of its own, which
    # would cost as much as the rest of the statement.
    batch = models.ForeignKey(
        Batch, on_delete=models.PROTECT, related_name="assignments", db_index=False, db_constraint=False
    )
    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="assignments", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="assignments", db_index=False)
    # The account that stands for the worker's person when the lease begins; the trigger writes it.
    person = models.ForeignKey(
        Worker, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    version = models.ForeignKey(
        Version, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    place = models.SmallIntegerField()
    lease_no = models.SmallIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.LEASED)
    token = models.UUIDField(default=uuid4)
    attempts = models.SmallIntegerField(default=1)
    lease_until = models.DateTimeField()
    leased_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    auto_accept_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=100, blank=True)
    comment = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "worker"], name="one_assignment_per_worker"),
            models.UniqueConstraint(fields=["task", "person"], name="one_assignment_per_person"),
            models.UniqueConstraint(
                fields=["task", "place"], condition=Q(state__in=LIVE), name="one_live_assignment_per_place"
            ),
            models.UniqueConstraint(
                fields=["person", "batch", "lease_no"], condition=Q(state=State.LEASED), name="lease_numbers"
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until", "batch"], condition=Q(state=State.LEASED), name="lease_due"),
            models.Index(fields=["auto_accept_at"], condition=Q(state=State.SUBMITTED), name="auto_accept_due"),
            models.Index(fields=["batch", "id"], name="assignment_of_batch"),
            models.Index(fields=["worker", "batch"], condition=Q(state=State.LEASED), name="leases_of_worker"),
            models.Index(fields=["batch"], condition=Q(state=State.SUBMITTED), name="undecided"),
            models.Index(fields=["worker", "id"], name="assignment_of_worker"),
        ]


class Answer(models.Model):
    """The typed values given in one assignment; append-only by revision. `unclear` is an answer without values."""

    pk = models.CompositePrimaryKey("assignment_id", "revision")
    assignment = models.ForeignKey(
        Assignment, on_delete=models.PROTECT, related_name="answers", db_index=False, db_constraint=False
    )
    revision = models.SmallIntegerField()
    batch_id = models.BigIntegerField()
    values = models.JSONField()
    unclear = models.BooleanField(default=False)
    submitted_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["batch_id", "assignment"], name="answer_of_batch")]


class Draft(models.Model):
    """What a worker typed and could not submit: kept for him, never counted as an answer."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, primary_key=True, related_name="draft")
    values = models.JSONField()
    saved_at = models.DateTimeField()


class Settlement(models.Model):
    """What became due for one accepted answer, written by the trigger that sees the acceptance; paid exactly once."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, primary_key=True, related_name="settlement")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    price_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    due_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    # After a won appeal it is not the place in escrow that pays, for that has been given to somebody else.
    from_disputes = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["assignment"], condition=Q(settled_at=None), name="settlement_due"),
            models.Index(fields=["worker", "batch"], condition=Q(settled_at=None), name="settlement_due_worker"),
            models.Index(fields=["batch"], condition=Q(settled_at=None), name="settlement_due_batch"),
            models.Index(fields=["worker", "batch"], name="settlement_of_worker"),
            models.Index(fields=["batch", "assignment"], name="settlement_of_batch"),
        ]


class Rejection(models.Model):
    """Why an answer was rejected and by which instructions, which are those that its worker was shown; never changed.

    `review_id` is the review that allowed it, where it needed one (a row of an app above); `agreed` says whether the
    answer agreed with most others of its task, as far as they could be compared. Before these rows were kept nobody
    wrote down who rejected: there `made_by` is null.
    """

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, primary_key=True, related_name="rejection")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=20, choices=RejectReason.choices)
    comment = models.TextField()
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+", db_index=False)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()
    review_id = models.BigIntegerField(null=True)
    agreed = models.BooleanField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(comment__regex=r"\S"), name="rejection_has_comment"),
            models.CheckConstraint(condition=Q(reason__in=RejectReason.values), name="rejection_reason"),
        ]
        indexes = [
            models.Index(
                fields=["batch"], condition=Q(review_id=None, made_by__isnull=False), name="rejection_unreviewed"
            ),
            models.Index(fields=["batch", "made_at"], name="rejection_of_batch"),
        ]


class Repair(models.Model):
    """An answer that went back to its worker for repair, at most once, and why; `submitted_at` says which."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, primary_key=True, related_name="repair")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    submitted_at = models.DateTimeField()
    reason = models.CharField(max_length=20, choices=RejectReason.choices)
    comment = models.TextField()
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(comment__regex=r"\S"), name="repair_has_comment"),
            models.CheckConstraint(condition=Q(reason__in=RejectReason.values), name="repair_reason"),
        ]


class Contest(models.Model):
    """A rejection that its worker contests: until `ended_at` its money lies aside and nothing else follows from it."""

    rejection = models.OneToOneField(
        Rejection, on_delete=models.PROTECT, primary_key=True, db_column="assignment_id", related_name="contest"
    )
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["batch"], condition=Q(ended_at=None), name="contest_open")]


class Uphold(models.Model):
    """A rejection that was undone, by whom and why; never changed. Nobody in person undid it where it was contested and
    others' work, or the clock, decided."""

    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, primary_key=True, related_name="uphold")
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField()
    made_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="uphold_has_reason")]


class Reserve(models.Model):
    """What a published batch has given back or used of its hold, besides paying answers; written by functions only.

    `released_places` went back to the requester because nobody can take them any more, in `releases` steps.
    `topup_micros` is what each paid answer gets on top, once it is known; what was aside for it then goes back, as what
    was aside for disputes does when no rejection can be contested any more.
    """

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, primary_key=True, related_name="reserve")
    dispute_places = models.BigIntegerField(default=0)
    released_places = models.BigIntegerField(default=0)
    releases = models.PositiveIntegerField(default=0)
    median_ms = models.BigIntegerField(null=True)
    topup_micros = models.BigIntegerField(null=True)
    topup_released_at = models.DateTimeField(null=True)
    disputes_released_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["batch"], condition=Q(disputes_released_at=None), name="reserve_for_disputes"),
        ]


class ExtraKind(models.TextChoices):
    BONUS = "bonus"
    TOPUP = "topup"


class Extra(models.Model):
    """Pay besides the price: a bonus from the requester with his reason, or the top-up of a batch; paid exactly once.
    `reference` is the requester's own name for a bonus, so that a repeat is no second one."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=5, choices=ExtraKind.choices)
    reference = models.CharField(max_length=100)
    amount_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    reason = models.TextField()
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "worker", "kind", "reference"], name="extra_once"),
            models.CheckConstraint(
                condition=Q(amount_micros__gte=1, amount_micros__lte=AMOUNT_MAX)
                & Q(fee_micros__gte=0, fee_micros__lte=AMOUNT_MAX),
                name="extra_amounts",
            ),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(reference=""), name="extra_has_reason"),
            models.CheckConstraint(
                condition=Q(kind="topup", made_by=None) | Q(kind="bonus", made_by__isnull=False), name="extra_kind"
            ),
        ]
        indexes = [models.Index(fields=["batch", "id"], condition=Q(settled_at=None), name="extra_due")]
