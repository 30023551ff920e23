"""What providers tell by themselves. A notice says *look*, and the provider, when asked, says *what*."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from marketplace.common.database import one, run, value
from marketplace.common.transactions import require_transaction
from marketplace.payouts.errors import NoticeRefused, NoticeUnclear
from marketplace.payouts.models import REASON_MAX
from marketplace.payouts.providers.base import BadNotice, CallProvider, Fate, Notice, Unclear
from marketplace.payouts.providers.registry import NoSuchProvider, provider

logger = logging.getLogger("touchstone.payouts")


def read_notices(*, name: str, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
    """What a webhook of the provider says, its signature checked; nothing is written.

    Raises `NoSuchProvider`, `NoticeRefused`, and `NoticeUnclear` where the provider has to be asked and does not
    answer.
    """
    by = provider(name)
    if not isinstance(by, CallProvider):
        raise NoSuchProvider("This provider sends no notices.", provider=name)
    now: datetime = value("SELECT market_now()")
    try:
        return by.read_notice(headers, body, now)
    except BadNotice as error:
        raise NoticeRefused(str(error)) from None
    except Unclear as error:
        raise NoticeUnclear("Whether this notice is true could not be found out; send it again.") from error


def take_in_notices(*, name: str, notices: Sequence[Notice]) -> int:
    """Keep each event once, and have its payout looked up at once; returns how many were new.

    Order and repeats do not matter, for the notice decides nothing. One that fits no payout is kept for people to see.
    """
    require_transaction()
    return sum(_take_in(name, notice) for notice in notices)


def _take_in(name: str, notice: Notice) -> int:
    found = one("SELECT id FROM payouts_payout WHERE provider_key = %s AND provider = %s", [notice.key, name])
    new = run(
        "INSERT INTO payouts_providernotice (provider, event, key, payout_id, fate, reference, detail, said_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (provider, event) DO NOTHING",
        [
            name,
            notice.event[:200],
            notice.key[:200],
            None if found is None else found[0],
            notice.answer.fate.value,
            notice.answer.reference[:200],
            notice.answer.detail[:REASON_MAX],
            notice.at,
        ],
    )
    if not new:
        return 0
    if found is None:
        logger.error("%s tells of a payment that is none of ours: %s", name, notice.key[:200])
    elif not _have_looked_up(found[0], notice):
        _warn_of_payment(name, found[0], notice.answer.fate)
    return 1


def _have_looked_up(payout_id: int, notice: Notice) -> int:
    """What is settled is looked up again only for the news that it came back."""
    states = ["sent", "in_doubt"] + (["settled"] if notice.answer.fate == Fate.FAILED else [])
    return run(
        "UPDATE payouts_payout SET look_up_at = least(look_up_at, market_now()) WHERE id = %s AND state = ANY(%s)",
        [payout_id, states],
    )


def _warn_of_payment(name: str, payout_id: int, fate: Fate) -> None:
    """What was never sent is known there, or what was never settled is paid there: people have to put that right."""
    odd = one(
        "SELECT public_id, state FROM payouts_payout WHERE id = %s"
        " AND (sent_at IS NULL OR %s AND state = 'returned' AND settled_at IS NULL)",
        [payout_id, fate == Fate.SETTLED],
    )
    if odd is not None:
        logger.error("%s tells of payout %s, which is %s here: reconcile", name, *odd)
