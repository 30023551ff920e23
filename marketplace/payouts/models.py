"""Where money may go, and what is on its way there. The guards are in the migrations: what a destination and a payout
say never changes, money leaves only by the steps of `states`, and a payout always agrees with its transfers."""

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Func, Q

from marketplace.accounts.models import User
from marketplace.common.money import AMOUNT_MAX
from marketplace.payouts.states import AttemptKind, PayoutState

MARKET_NOW = Func(function="market_now", output_field=models.DateTimeField())
CENT_MICROS = 10_000
PROVIDER_MAX = 20
REASON_MAX = 500
CURRENCY = r"^[A-Z]{3}$"


class Destination(models.Model):
    """Where one person wants to be paid. It never changes but by being removed; a trigger writes `usable_from`, and
    nothing leaves to it before. `fingerprint` is the same for the same receiver: of those not removed each is one
    person's only (R41)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="destinations")
    provider = models.CharField(max_length=PROVIDER_MAX)
    currency = models.CharField(max_length=3)
    details = models.BinaryField()  # sealed
    shown = models.TextField()
    fingerprint = models.BinaryField(max_length=32)
    added_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    usable_from = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fingerprint"], condition=Q(removed_at=None), name="one_person_each"),
            # What payouts refer to, so that none can go to another's destination, or in another currency.
            models.UniqueConstraint(fields=["id", "user", "provider", "currency"], name="destination_terms"),
            models.CheckConstraint(condition=Q(currency__regex=CURRENCY), name="destination_currency"),
        ]
        indexes = [models.Index(fields=["fingerprint"], name="destination_fingerprint")]


class Attempt(models.Model):
    """Evidence: somebody wanted a destination that is or was another person's."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="attempts")
    kind = models.CharField(max_length=10, choices=AttemptKind.choices)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(kind__in=AttemptKind.values), name="attempt_kind")]


class Run(models.Model):
    """Payouts that were put into one file for a provider. The file is made from them on demand."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider = models.CharField(max_length=PROVIDER_MAX)
    currency = models.CharField(max_length=3)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "provider", "currency"], name="run_terms")]


class RunRelease(models.Model):
    """That a second person has looked at a run: only then its file is given to anybody (four eyes). A trigger refuses
    whoever made the run or is paid by it."""

    run = models.OneToOneField(Run, on_delete=models.PROTECT, primary_key=True, related_name="release")
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)


class Payout(models.Model):
    """Money of one person on its way out. `holder` names the ledger accounts that it comes from; `provider_key` is what
    the provider knows it by, fixed before he is asked. `lease` fences whoever asks him about it just now."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="payouts")
    holder = models.UUIDField()
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="payouts")
    provider = models.CharField(max_length=PROVIDER_MAX)
    currency = models.CharField(max_length=3)
    amount_micros = models.BigIntegerField()
    provider_key = models.CharField(max_length=40, unique=True)
    provider_ref = models.CharField(max_length=200, blank=True, db_default="", default="")
    state = models.CharField(max_length=10, choices=PayoutState.choices, db_default="requested", default="requested")
    reason = models.CharField(max_length=REASON_MAX, blank=True, db_default="", default="")
    needs_review = models.BooleanField(db_default=False, default=False)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="payouts")
    requested_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    decided_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)  # when the provider first said that he has the order
    settled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    doubtful_since = models.DateTimeField(null=True)
    looked_up_at = models.DateTimeField(null=True)
    look_up_at = models.DateTimeField(null=True)  # when to look next
    look_up_wait_s = models.IntegerField(db_default=30, default=30)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=PayoutState.values), name="payout_state"),
            models.CheckConstraint(
                condition=Q(amount_micros__gte=CENT_MICROS, amount_micros__lte=AMOUNT_MAX), name="payout_amount_bounds"
            ),
            models.CheckConstraint(
                condition=Q(lease=None, lease_until=None) | Q(lease__isnull=False, lease_until__isnull=False),
                name="payout_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state="in_doubt") | Q(doubtful_since__isnull=False), name="payout_doubt_has_begun"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["refused", "returned"]) | ~Q(reason=""), name="payout_end_has_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "requested_at"], name="payout_of_user"),
            models.Index(fields=["state", "id"], name="payout_by_state"),
            models.Index(fields=["look_up_at"], condition=Q(look_up_at__isnull=False), name="payout_to_look_up"),
        ]


class ProviderNotice(models.Model):
    """What a provider told by himself, once for each event. It is a reason to look the payout up, and no more: so it
    may come twice, late or in any order. Without a payout it waits for people."""

    provider = models.CharField(max_length=PROVIDER_MAX)
    event = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, null=True, related_name="notices")
    fate = models.CharField(max_length=10)
    reference = models.CharField(max_length=200, blank=True, default="")
    detail = models.CharField(max_length=REASON_MAX, blank=True, default="")
    said_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "event"], name="notice_once")]


class Threshold(models.Model):
    """A person's wish to be paid by itself: whenever more than this has been earned, all of it to this destination."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    holder = models.UUIDField()
    provider = models.CharField(max_length=PROVIDER_MAX)
    currency = models.CharField(max_length=3)
    above_micros = models.BigIntegerField()
    destination = models.ForeignKey(Destination, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "currency"], name="one_threshold"),
            models.CheckConstraint(
                condition=Q(above_micros__gte=CENT_MICROS, above_micros__lte=AMOUNT_MAX), name="threshold_bounds"
            ),
        ]


class Report(models.Model):
    """What a provider says to have paid in a time, compared with what is written here."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider = models.CharField(max_length=PROVIDER_MAX)
    since = models.DateTimeField()
    until = models.DateTimeField()
    rows = models.IntegerField()
    sha256 = models.BinaryField(max_length=32)
    findings = models.JSONField()
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(until__gt=F("since")), name="report_has_time")]

    @property
    def last_at(self) -> datetime:
        """The last moment that is within it; `until` is not."""
        return self.until - timedelta(microseconds=1)


class Turn(models.Model):
    """Whose turn it is to do a long sweep: a hint that keeps a slow provider from holding every process at once. What
    is right does not rest on it."""

    name = models.TextField(primary_key=True)
    token = models.UUIDField()
    until = models.DateTimeField()
