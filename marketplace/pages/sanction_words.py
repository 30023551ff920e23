"""Limits on workers, in words: what, how far, and why. For those who make them and those who look at them."""

from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Measure, SanctionReason, Where

MEASURES = {
    Measure.SLOW_DOWN: _("Slow down: time between two tasks"),
    Measure.EXTRA_GOLD: _("More check questions"),
    Measure.LIMIT: _("No new tasks there"),
    Measure.REVIEW: _("Every answer is looked at"),
    Measure.BAN: _("Ban from the whole site"),
}
REACHES = {
    Where.PLATFORM: _("The whole site"),
    Where.REQUESTER: _("One organisation"),
    Where.PROJECT: _("One project"),
    Where.BATCH: _("One batch"),
}
REASONS = {
    SanctionReason.LOW_ACCURACY: _("Answers are wrong too often"),
    SanctionReason.DISAGREEMENT: _("Disagrees with the others too often"),
    SanctionReason.HASTE: _("Answers faster than one can read"),
    SanctionReason.SKIPS: _("Skips too much"),
    SanctionReason.REPETITION: _("Gives the same answer again and again"),
    SanctionReason.SPAM: _("Answers are spam"),
    SanctionReason.COPYING: _("Copies others"),
    SanctionReason.REJECTIONS: _("Too many rejections"),
    SanctionReason.TERMS: _("Breaks the terms"),
    SanctionReason.OTHER: _("Something else"),
}
