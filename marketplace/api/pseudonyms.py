"""Addresses of accounts as a requester may read them: workers by the names that he knows them by (R43)."""

from typing import Any

from marketplace.accounts.models import Requester
from marketplace.billing.queries import workers_named
from marketplace.common.transactions import one_transaction
from workers.profiles.commands import pseudonyms


def with_pseudonyms(requester: Requester, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines with the requester's own names for the workers in them; missing names are made (R43)."""
    ids = workers_named(found)
    if not ids:
        return found
    with one_transaction(principal="names"):
        codes = pseudonyms(requester_id=requester.pk, worker_ids=ids.values())
    return [
        {**line, **{side: _renamed(line[side], ids, codes) for side in ("source", "destination")}} for line in found
    ]


def _renamed(address: str, ids: dict[str, int], codes: dict[int, str]) -> str:
    kind, _, rest = address.partition(":")
    if kind != "worker":
        return address
    worker, _, place = rest.partition(":")
    return f"worker:{codes[ids[worker]]}:{place}"
