"""What happened to money."""

from dataclasses import dataclass

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class MoneyMoved(Event):
    """Transfers were posted by one statement. The database writes it itself, so no transfer is without; `batch_ids`
    are the batches that they belong to, if any. Nothing in the program publishes it."""

    transfer_ids: list[int]
    batch_ids: list[int]
