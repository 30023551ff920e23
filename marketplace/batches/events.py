"""What happened to batches."""

from dataclasses import dataclass

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class BatchEvent(Event):
    batch_id: int


class BatchPublished(BatchEvent):
    """Funds are held and the batch takes work."""


@dataclass(frozen=True)
class BatchPaused(BatchEvent):
    """No new claims, and why; what is leased may still be submitted."""

    reason: str = "manual"


class BatchResumed(BatchEvent):
    """Claims are open again."""


class BatchClosing(BatchEvent):
    """No new claims; the batch settles when all answers are decided and paid."""


class BatchCancelled(BatchEvent):
    """Stopped for good; submitted answers are still decided and paid."""


class BatchSettled(BatchEvent):
    """All is paid and the rest of the hold went back."""
