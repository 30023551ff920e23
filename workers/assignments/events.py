"""What happened to assignments. `worker_ids` says whom it concerns."""

from dataclasses import dataclass
from typing import Literal

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class AssignmentEvent(Event):
    batch_id: int
    worker_ids: list[int]
    assignment_ids: list[int]


class PlaceTaken(AssignmentEvent):
    """Places were leased."""


class AnswerSubmitted(AssignmentEvent):
    """Answers arrived."""


@dataclass(frozen=True)
class AnswerAccepted(AssignmentEvent):
    """Answers were accepted and their payment is due. `by` says how: each by name, all that there were at once, or
    because the time for a decision was over."""

    by: Literal["name", "all", "deadline"] = "name"


class AnswerRejected(AssignmentEvent):
    """Answers were rejected; their places are open again."""


class AnswerReturned(AssignmentEvent):
    """Answers went back to their workers for repair; each has a lease again."""


class AnswerUpheld(AssignmentEvent):
    """Rejections were undone; the answers are due for payment."""


class BonusPaid(AssignmentEvent):
    """Workers were paid something besides the price."""


class LeaseExpired(AssignmentEvent):
    """Leases ran out; their places are open again."""


class LeaseReturned(AssignmentEvent):
    """Workers gave places back."""


class PaymentSettled(AssignmentEvent):
    """Due payments reached the workers' balances."""


@dataclass(frozen=True)
class TasksQuarantined(Event):
    """Enough workers gave these tasks up; nobody is given them any more, and their open places are refunded."""

    batch_id: int
    task_ids: list[int]


@dataclass(frozen=True)
class TasksReleased(Event):
    """The requester put these tasks back to work, and their money is held again."""

    batch_id: int
    task_ids: list[int]


@dataclass(frozen=True)
class PlacesAdded(Event):
    """These tasks of a running batch have more places than before, and their money is held."""

    batch_id: int
    task_ids: list[int]


class AnswersHeld(AssignmentEvent):
    """The answers of these workers are not accepted by themselves for some time."""


class ReviewWished(AssignmentEvent):
    """The requester is asked to look at these answers himself."""
