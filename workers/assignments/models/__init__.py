"""Every table of assignments."""

from workers.assignments.models.doubts import HOLD_MAX, Discount, Hold, ReviewWish
from workers.assignments.models.queue import Missed, Pair, Quarantine, Quota, Spike, Walk
from workers.assignments.models.waiting import WINDOW_MAX, Waiting
from workers.assignments.models.work import (
    Answer,
    Assignment,
    Contest,
    Draft,
    Extra,
    ExtraKind,
    Rejection,
    Repair,
    Reserve,
    Settlement,
    Uphold,
)

__all__ = [
    "HOLD_MAX",
    "WINDOW_MAX",
    "Answer",
    "Assignment",
    "Contest",
    "Discount",
    "Draft",
    "Extra",
    "ExtraKind",
    "Hold",
    "Missed",
    "Pair",
    "Quarantine",
    "Quota",
    "Rejection",
    "Repair",
    "Reserve",
    "ReviewWish",
    "Settlement",
    "Spike",
    "Uphold",
    "Waiting",
    "Walk",
]
