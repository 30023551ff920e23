"""What a requester's postings are, in words."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

LINES: dict[str, Text] = {
    "deposit": _("Paid in"),
    "reversal": _("Taken back"),
    "hold": _("Held for a batch"),
    "more": _("Held for more places"),
    "reserve": _("Between a batch's places"),
    "reward": _("Paid for an accepted answer"),
    "fee": _("Platform fee"),
    "upheld": _("Paid after a rejection was overturned"),
    "refund": _("Came back from a batch"),
    "unneeded": _("Came back: not needed any more"),
    "bonus": _("Bonus"),
    "topup": _("Top-up to the hourly rate"),
    "withdrawal": _("Paid out to you"),
}
EXTRAS: dict[str, Text] = {"bonus": _("Bonus"), "topup": _("Top-up")}
