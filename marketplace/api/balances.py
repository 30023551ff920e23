"""What an organisation owns: its free funds, and what its batches hold for unpaid work, disputes and top-ups."""

from typing import Any

from marketplace.accounts.models import Requester
from marketplace.common.database import rows
from marketplace.ledger.addresses import funds_of


def balances_of(requester: Requester) -> list[dict[str, Any]]:
    """By currency, in micro-units; a currency that was never used is left out."""
    return [
        {"currency": currency, "funds_micros": int(funds), "held_micros": int(held)}
        for currency, funds, held in rows(
            """
            SELECT currency, sum(funds), sum(held) FROM (
                SELECT currency, balance_micros AS funds, 0::bigint AS held FROM ledger_account WHERE address = %s
                UNION ALL
                SELECT a.currency, 0, a.balance_micros FROM batches_batch b
                  JOIN ledger_account a ON a.address = ANY (ARRAY['batch:' || b.public_id || ':escrow',
                       'batch:' || b.public_id || ':disputes', 'batch:' || b.public_id || ':topup'])
                 WHERE b.requester_id = %s) s
            GROUP BY currency ORDER BY currency
            """,
            [funds_of(requester.public_id), requester.pk],
        )
    ]
