"""Money: what came in, where it lies, what moved it, and what went out. Where a person is paid is not in it: staff see
the end of an account's number where they decide on a payout."""

from django.contrib.admin import register
from django.utils.translation import gettext_lazy as _

from marketplace.backoffice.people import MONEY
from marketplace.backoffice.records.site import Part, Record, column, one_of, records
from marketplace.billing.models import Deposit, DepositReversal, Invoice
from marketplace.ledger.models import Account, Posting, Seal, Transfer
from marketplace.payouts.models import Destination, Payout, ProviderNotice, Run, RunRelease
from workers.assignments.models import Extra


@register(Account, site=records)
class Places(Record):
    slug, thing, group, roles, handle, title = "places", "money_place", "money", MONEY, "pk", "address"
    # What lies on a worker's account is what he has earned.
    personal = True
    label, about = _("Places of money"), _("The ledger's accounts with their balances; holds are among them.")
    list_display = ("id", "address", "currency", "balance_micros", "version")
    search_fields = ("address", "id")
    fields = ("id", "address", "currency", "balance_micros", "version")
    parts = (
        Part(
            _("The last postings"),
            Posting,
            "account",
            ("version", "transfer", "delta_micros", "balance_after_micros"),
            ("account",),
            "-version",
        ),
    )


@register(Transfer, site=records)
class Transfers(Record):
    slug, thing, group, roles, handle, title = "transfers", "transfer", "money", MONEY, "pk", "key"
    personal = True
    label, about = _("Transfers"), _("Every movement of money, with its postings and its seal.")
    list_display = ("id", "key", "kind", "amount_micros", "source", "destination", "made_at")
    search_fields = ("key", "id")
    fields = (
        "id", "key", "kind", "amount_micros", "currency", "source", "destination", "batch_id", "memo", "reverses",
        "made_at",
    )  # fmt: skip
    parts = (
        Part(
            _("Postings"),
            Posting,
            "transfer",
            ("account", "version", "delta_micros", "balance_after_micros"),
            ("transfer",),
            "account_id",
        ),
        Part(_("Seal"), Seal, "transfer", ("seq", "leaf", "hash", "sealed_at"), ("transfer",)),
    )


@register(Deposit, site=records)
class Deposits(Record):
    slug, thing, group, roles = "deposits", "deposit", "money", MONEY
    label, about = _("Deposits"), _("Money that came in, with its evidence.")
    list_display = ("public_id", "requester", "amount_micros", "channel", "reference", "made_at")
    search_fields = ("public_id", "requester__public_id", "reference", "transfer_key")
    fields = (
        "public_id", "requester", "amount_micros", "currency", "channel", "reference", "evidence", "recorded_by",
        "transfer_key", "made_at",
    )  # fmt: skip
    withheld = ("id",)
    parts = (
        Part(
            _("Taken back"),
            DepositReversal,
            "deposit",
            ("reason", "reversed_by", "transfer_key", "made_at"),
            ("deposit",),
        ),
    )


@register(Invoice, site=records)
class Invoices(Record):
    slug, thing, group, roles = "invoices", "invoice", "money", MONEY
    label, about = _("Invoices"), _("What organisations were billed, and notes that take a bill back.")
    list_display = ("public_id", "written", "kind", "requester", "total_micros", "period_from", "issued_at")
    list_filter = (one_of("kind"),)
    search_fields = ("public_id", "requester__public_id")
    fields = (
        "written", "public_id", "kind", "requester", "currency", "period_from", "period_to", "edition", "work_micros",
        "fees_micros", "total_micros", "corrects", "reason", "issued_at", "issued_by", "seller", "buyer", "lines",
        "money",
    )  # fmt: skip
    # Shown together as the number that is written on it.
    withheld = ("id", "year", "number")
    decided_at = "invoice"

    @column(_("Number"), "year", "number")
    def written(self, invoice: Invoice) -> str:
        return invoice.label


@register(Destination, site=records)
class Destinations(Record):
    slug, thing, group, roles, personal = "destinations", "destination", "money", MONEY, True
    label, about = _("Destinations"), _("Since when somebody can be paid by which provider; never where.")
    list_display = ("public_id", "user", "provider", "currency", "added_at", "usable_from", "removed_at")
    search_fields = ("public_id", "user__public_id")
    fields = ("public_id", "user", "provider", "currency", "added_at", "usable_from", "removed_at")
    withheld = ("id", "details", "shown", "fingerprint")


@register(Run, site=records)
class Runs(Record):
    slug, thing, group, roles = "runs", "payout_run", "money", MONEY
    label, about = _("Payout runs"), _("Payouts that went into one file, who made it and who released it.")
    list_display = ("public_id", "provider", "currency", "made_by", "made_at")
    search_fields = ("public_id",)
    fields = ("public_id", "provider", "currency", "made_by", "made_at")
    withheld = ("id",)
    parts = (Part(_("Released"), RunRelease, "run", ("made_by", "made_at"), ("run",)),)
    decided_at = "staff_run"


@register(Payout, site=records)
class Payouts(Record):
    slug, thing, group, roles, personal = "payouts", "payout", "money", MONEY, True
    label, about = _("Payouts"), _("Money on its way to workers, and what its provider said.")
    list_display = ("public_id", "user", "amount_micros", "provider", "state", "needs_review", "requested_at")
    list_filter = (one_of("state"), one_of("needs_review"))
    search_fields = (
        "public_id", "user__public_id", "destination__public_id", "run__public_id", "provider_key", "provider_ref",
    )  # fmt: skip
    fields = (
        "public_id", "user", "holder", "destination", "amount_micros", "currency", "provider", "provider_key",
        "provider_ref", "state", "reason", "needs_review", "decided_by", "run", "requested_at", "decided_at", "sent_at",
        "answered_at", "settled_at", "ended_at", "doubtful_since", "looked_up_at", "look_up_at", "look_up_wait_s",
    )  # fmt: skip
    withheld = ("id", "lease", "lease_until")
    parts = (
        Part(
            _("What the provider told by itself"),
            ProviderNotice,
            "payout",
            ("event", "fate", "reference", "detail", "said_at", "received_at"),
            ("id", "provider", "key", "payout"),
        ),
    )


@register(Extra, site=records)
class Extras(Record):
    slug, thing, group, roles, personal = "bonuses", "extra", "money", MONEY, True
    label, about = _("Bonuses and top-ups"), _("Pay besides the price, with its reason.")
    list_display = ("public_id", "kind", "batch", "worker", "amount_micros", "made_at", "settled_at")
    list_filter = (one_of("kind"),)
    search_fields = ("public_id", "worker__public_id", "batch__public_id")
    fields = (
        "public_id", "kind", "batch", "worker", "reference", "amount_micros", "fee_micros", "reason", "made_by",
        "made_at", "settled_at",
    )  # fmt: skip
    withheld = ("id",)
