"""What happened in reputation."""

from dataclasses import dataclass

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class RuleFired(Event):
    """A quality rule held of a worker; its actions wait in `reputation_wanted` where reputation cannot do them."""

    batch_id: int
    worker_ids: list[int]
    firing_id: int


@dataclass(frozen=True)
class RuleWithdrawn(Event):
    """A firing does not hold without what was taken back; its sanctions are lifted."""

    batch_id: int
    worker_ids: list[int]
    firing_id: int


@dataclass(frozen=True)
class ReputationShown(Event):
    """The scores that these workers see were written anew, as they are with every twentieth answer."""

    worker_ids: list[int]
