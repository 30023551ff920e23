"""What quality rules did, in words for the requester."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

ACTIONS: dict[str, Text] = {
    "limit": _("No new tasks"),
    "slow_down": _("Slow down"),
    "extra_gold": _("More check questions"),
    "escalate": _("The next step of limits"),
    "set_skill": _("A skill is set"),
    "adjust_skill": _("A skill moves"),
    "raise_overlap": _("More answers for the tasks"),
    "reopen": _("The answers lose their vote and are asked for anew"),
    "hold": _("Answers are held back"),
    "release": _("Answers are held back no longer"),
    "ask_review": _("You are asked to look"),
    "notify": _("The worker is told"),
}
AUTHORS: dict[str, Text] = {
    "rule": _("by a rule"),
    "requester": _("by your organisation"),
    "staff": _("by the people who run this site"),
}
