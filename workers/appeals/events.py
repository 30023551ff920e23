"""What happened to appeals. `worker_ids` says whom it concerns."""

from dataclasses import dataclass

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class AppealEvent(Event):
    appeal_id: int
    worker_ids: list[int]


class AppealOpened(AppealEvent):
    """A worker contested something."""


class AppealMoved(AppealEvent):
    """Somebody spoke, or somebody else is to judge."""


class AppealDecided(AppealEvent):
    """An appeal was decided, or won because nobody decided it in time."""
