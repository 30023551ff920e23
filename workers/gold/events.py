"""What happened to gold. The runtime role reads events and may not know which tasks are gold: they name none."""

from dataclasses import dataclass

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class KeyFlagged(Event):
    """A key of the batch is failed by workers who are known to be good; its requester decides."""

    batch_id: int


@dataclass(frozen=True)
class GoldWaits(Event):
    """The crowd is sure of tasks of the batch, which become gold once its requester agrees."""

    batch_id: int
