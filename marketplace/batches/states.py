"""The life of a batch, as values. The database holds the same table of steps in a trigger."""

from django.db import models


class BatchState(models.TextChoices):
    DRAFT = "draft"
    PUBLISHED = "published"
    PAUSED = "paused"
    CLOSING = "closing"
    SETTLED = "settled"
    CANCELLED = "cancelled"


class BatchKind(models.TextChoices):
    REGULAR = "regular"
    PILOT = "pilot"  # some items first, to learn what the others will cost and how good they will be


class Order(models.TextChoices):
    """In which order a batch's tasks are given out."""

    SPREAD = "spread"  # each worker in an order of his own, which keeps workers out of each other's way
    SEQUENTIAL = "sequential"  # as imported
    DEPTH_FIRST = "depth_first"  # shuffled once for all, so that what was begun is finished first
    PRIORITY = "priority"  # by a number from 0 to 9 for each task, the highest first
    UNCERTAINTY = "uncertainty"  # by a score from 0 to 1 for each task, the least certain first


class ImportState(models.TextChoices):
    """An import is finished once it is done; or failed or cancelled, and everything that it brought is gone again."""

    RECEIVING = "receiving"  # the body arrives
    RUNNING = "running"  # rows become tasks
    DONE = "done"
    FAILED = "failed"  # some rows are wrong
    CANCELLED = "cancelled"


class KeyOrigin(models.TextChoices):
    """Who says that this is the answer."""

    REQUESTER = "requester"
    CONSENSUS = "consensus"


class KeyState(models.TextChoices):
    LIVE = "live"  # shown, and answers are judged by it
    WAITING = "waiting"  # for the requester, or for ever: too much like one that was shown
    FLAGGED = "flagged"  # good workers keep failing it: the requester decides
    RETIRED = "retired"


class KeyLane(models.TextChoices):
    """To whom a key is shown: those with whom it began."""

    NONE = ""
    FIRST = "first"  # workers on probation
    LATER = "later"


class PauseReason(models.TextChoices):
    MANUAL = "manual"
    OUT_OF_FUNDS = "out_of_funds"
    QUALITY_STOP = "quality_stop"
    BROKEN_TASKS = "broken_tasks"


# What a requester is told beside the reason.
PAUSE_EXPLAINED: dict[str, str] = {
    PauseReason.MANUAL: "You paused this batch; resume it when you like.",
    PauseReason.OUT_OF_FUNDS: "The money held for this batch is used up; add funds and resume it.",
    PauseReason.QUALITY_STOP: "The quality of the answers fell below what you asked for; review them, then resume.",
    PauseReason.BROKEN_TASKS: (
        "Many tasks were given up by several workers each, so that something may be wrong with them. They are in"
        " quarantine and their open places are refunded; answers that are there are decided and paid. See why in the"
        " batch's quarantine, then resume it."
    ),
}


STEPS: dict[BatchState, frozenset[BatchState]] = {
    BatchState.DRAFT: frozenset({BatchState.PUBLISHED, BatchState.CANCELLED}),
    BatchState.PUBLISHED: frozenset({BatchState.PAUSED, BatchState.CLOSING, BatchState.CANCELLED}),
    BatchState.PAUSED: frozenset({BatchState.PUBLISHED, BatchState.CLOSING, BatchState.CANCELLED}),
    BatchState.CLOSING: frozenset({BatchState.SETTLED}),
    BatchState.SETTLED: frozenset(),
    BatchState.CANCELLED: frozenset(),
}


def may_become(state: str, wanted: BatchState) -> bool:
    """Whether one step leads from `state` to `wanted`."""
    return wanted in STEPS[BatchState(state)]
