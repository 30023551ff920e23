"""What a requester's postings are, in words."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

# Every kind of transfer that touches a place of an organisation's.
LINES: dict[str, Text] = {
    "deposit": _("Paid in"),
    "reversal": _("Taken back"),
    "hold": _("Held for a batch"),
    "more": _("Held for more places"),
    "reserve": _("Put aside"),
    "reward": _("Paid for an accepted answer"),
    "fee": _("Platform fee"),
    "upheld": _("Paid after a rejection was overturned"),
    "refund": _("Came back from a batch"),
    "release": _("Came back: not needed any more"),
    "quarantine": _("Came back: a task is in quarantine"),
    "rehold": _("Held again: a task is back at work"),
    "bonus": _("Bonus"),
    "topup": _("Top-up to the hourly rate"),
}
# Which of a batch's places a release is from, by the end of its key.
RELEASED: dict[str, Text] = {
    "disputes": _("Came back: put aside for disputes"),
    "topup": _("Came back: put aside for a top-up"),
}
EXTRAS: dict[str, Text] = {"bonus": _("Bonus"), "topup": _("Top-up")}


def line_words(kind: str, key: str) -> Text:
    """What a posting was, by the kind and the key of its transfer."""
    words = LINES.get(kind, _("Another posting"))
    return RELEASED.get(key.rpartition(":")[2], words) if kind == "release" else words
