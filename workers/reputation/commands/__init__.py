"""Every write of reputation."""

from workers.reputation.commands.outcomes import SHOW_EVERY, Judged, record_outcomes, undo_outcomes
from workers.reputation.commands.platform import set_platform_rules
from workers.reputation.commands.wanted import Wanted, finish_wanted, take_wanted

__all__ = [
    "SHOW_EVERY",
    "Judged",
    "Wanted",
    "finish_wanted",
    "record_outcomes",
    "set_platform_rules",
    "take_wanted",
    "undo_outcomes",
]
