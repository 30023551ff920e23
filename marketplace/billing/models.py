"""Deposits with their evidence, what a requester is billed, and what a bank's reports were found to say.

All rows but billing details are for ever: triggers refuse every change (see the migrations).
"""

from uuid import uuid4

from django.db import models
from django.db.models import F, Q

from marketplace.accounts.models import MARKET_NOW, Requester, User
from marketplace.common.money import AMOUNT_MAX

BANK = "bank"


class Deposit(models.Model):
    """Money that came in from outside. The row and its transfer stand together or not at all: a trigger looks for the
    transfer before the transaction commits."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="deposits")
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    channel = models.CharField(max_length=40)
    reference = models.CharField(max_length=200)
    evidence = models.TextField()
    recorded_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    transfer_key = models.TextField(unique=True)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "reference"], name="deposit_reference"),
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0, amount_micros__lte=AMOUNT_MAX), name="deposit_amount_bounds"
            ),
            models.CheckConstraint(condition=~Q(evidence=""), name="deposit_evidence"),
            models.CheckConstraint(condition=Q(channel__regex=r"^[a-z][a-z0-9_]*$"), name="deposit_channel"),
            # A provider's message may record itself; what a bank sent is told by somebody.
            models.CheckConstraint(
                condition=Q(recorded_by__isnull=False) | ~Q(channel=BANK), name="deposit_recorded_by"
            ),
        ]
        indexes = [models.Index(fields=["channel", "made_at"], name="deposit_of_channel")]


class DepositReversal(models.Model):
    """Why a deposit was taken back, and by whom; the money went by a transfer that takes back the first."""

    deposit = models.OneToOneField(Deposit, on_delete=models.PROTECT, primary_key=True, related_name="reversal")
    reason = models.TextField()
    reversed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    transfer_key = models.TextField(unique=True)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)


class BillingDetails(models.Model):
    """To whom a requester's invoices are addressed; copied onto each when it is issued."""

    requester = models.OneToOneField(
        Requester, on_delete=models.PROTECT, primary_key=True, related_name="billing_details"
    )
    name = models.CharField(max_length=200)
    address = models.TextField(blank=True)
    tax_id = models.CharField(max_length=40, blank=True)
    email = models.EmailField(max_length=254, blank=True)
    changed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)


class DocumentKind(models.TextChoices):
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class InvoiceCounter(models.Model):
    """The last number given in a year; only the trigger of a new invoice moves it, holding its row until the commit."""

    year = models.SmallIntegerField(primary_key=True)
    last_number = models.IntegerField()


class Invoice(models.Model):
    """What a requester was billed for a month in one currency, or a credit note that takes such a bill back.

    Year, number and time of issue are written by a trigger: numbers have no gap. `lines`, `seller`, `buyer` and `money`
    are what stood in the books that day. An invoice is never changed; once it is credited, another `edition` of it may
    be issued.
    """

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=11, choices=DocumentKind.choices, default=DocumentKind.INVOICE)
    year = models.SmallIntegerField(editable=False)
    number = models.IntegerField(editable=False)
    issued_at = models.DateTimeField(editable=False)
    issued_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="invoices")
    currency = models.CharField(max_length=3)
    period_from = models.DateField()
    period_to = models.DateField()
    edition = models.PositiveSmallIntegerField(default=1)
    corrects = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="credit_note")
    reason = models.TextField(blank=True)
    seller = models.JSONField()
    buyer = models.JSONField()
    lines = models.JSONField()
    money = models.JSONField()
    work_micros = models.BigIntegerField()
    fees_micros = models.BigIntegerField()
    total_micros = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["year", "number"], name="invoice_number"),
            models.UniqueConstraint(
                fields=["requester", "currency", "period_from", "edition"],
                condition=Q(kind=DocumentKind.INVOICE),
                name="invoice_once",
            ),
            models.CheckConstraint(condition=Q(total_micros=F("work_micros") + F("fees_micros")), name="invoice_total"),
            models.CheckConstraint(condition=Q(kind__in=DocumentKind.values), name="invoice_kind"),
            models.CheckConstraint(
                condition=Q(kind=DocumentKind.INVOICE, corrects=None)
                | (Q(kind=DocumentKind.CREDIT_NOTE, corrects__isnull=False) & ~Q(reason="")),
                name="invoice_corrects",
            ),
            models.CheckConstraint(condition=Q(period_from__lte=F("period_to")), name="invoice_period"),
        ]

    @property
    def label(self) -> str:
        """The number as it is written: `2026-000042`."""
        return f"{self.year}-{self.number:06d}"


class ClosedMonth(models.Model):
    """A month of a requester's currency that was looked at after its end, so that no sweep looks again."""

    pk = models.CompositePrimaryKey("requester_id", "currency", "month")
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    month = models.DateField()
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)


class DepositReport(models.Model):
    """A bank's or provider's list of what came in, compared with the deposits recorded here."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    channel = models.CharField(max_length=40)
    day_from = models.DateField()
    day_to = models.DateField()
    sha256 = models.BinaryField(max_length=32)
    rows = models.PositiveIntegerField()
    matched = models.PositiveIntegerField()
    findings = models.JSONField()
    uploaded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
