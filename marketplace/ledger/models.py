"""Money. Every guarantee here is held by the database (see the migrations): rows of transfers and postings are never
changed, balances and postings are written by a trigger only, and the runtime role could not write them if it tried."""

from django.db import models
from django.db.models import Q

from marketplace.common.money import AMOUNT_MAX


class Account(models.Model):
    """One place for money of one currency. `may_go_negative` follows from the address."""

    address = models.TextField()
    currency = models.CharField(max_length=3)
    balance_micros = models.BigIntegerField(default=0)
    version = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["address", "currency"], name="account_address")]


class Transfer(models.Model):
    """One movement of money: two accounts of one currency and a positive amount. `key` is derived from what it is for,
    so that one event can never be paid twice (R5)."""

    key = models.TextField(unique=True)
    kind = models.CharField(max_length=20)
    source = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    destination = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    currency = models.CharField(max_length=3)
    amount_micros = models.BigIntegerField()
    batch_id = models.BigIntegerField(null=True)
    memo = models.TextField(blank=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0, amount_micros__lte=AMOUNT_MAX), name="transfer_amount_bounds"
            ),
            models.CheckConstraint(condition=~Q(source=models.F("destination")), name="transfer_between_two"),
        ]


class Posting(models.Model):
    """What one transfer did to one account, with the balance after it; written by trigger, dense by version."""

    pk = models.CompositePrimaryKey("account_id", "version")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings")
    version = models.BigIntegerField()
    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="postings")
    delta_micros = models.BigIntegerField()
    balance_after_micros = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["transfer", "account"], name="posting_once")]


class Seal(models.Model):
    """A link of the chain of hashes over all transfers: `leaf` is the hash of what the transfer says, `hash` that of
    the link before and the leaf. Written by `ledger_seal_next` only."""

    seq = models.BigIntegerField(primary_key=True)
    transfer = models.OneToOneField(Transfer, on_delete=models.PROTECT, related_name="seal")
    leaf = models.BinaryField()
    hash = models.BinaryField()
    sealed_at = models.DateTimeField()


class Sealer(models.Model):
    """The end of the chain: one row, which whoever seals holds. It also says up to which transaction is sealed."""

    id = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField()
    last_id = models.BigIntegerField()


class Anchor(models.Model):
    """The end of the chain on a day, sent to where nobody here can change it: whoever rewrites history later, and the
    chain with it, disagrees with every anchor that was kept."""

    day = models.DateField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField()
    made_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
