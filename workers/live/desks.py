"""What requesters see of a batch's gold while it runs."""

from dataclasses import asdict
from typing import Any

from marketplace.common.transactions import require_transaction
from workers.gold.queries import key_counts


def gold_state(batch_id: int) -> dict[str, Any]:
    """How the gold of a batch fares, for those who may see its keys. Asks for a transaction, for the gold reader counts
    them."""
    require_transaction()
    return asdict(key_counts(batch_id))
