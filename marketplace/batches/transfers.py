"""The transfers of a batch's money: its currency and its number stand on each."""

from marketplace.batches.models import Batch
from marketplace.ledger.commands import Move


def put(batch: Batch, kind: str, key: str, source: str, destination: str, amount_micros: int) -> list[Move]:
    """The transfer of some of the batch's money, or none where nothing is to be moved."""
    if not amount_micros:
        return []
    return [
        Move(
            key=key,
            kind=kind,
            source=source,
            destination=destination,
            currency=batch.currency,
            amount_micros=amount_micros,
            batch_id=batch.pk,
        )
    ]
