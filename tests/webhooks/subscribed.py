"""Short ways to webhooks and what is sent to them."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from marketplace.accounts.models import Requester
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.webhooks.commands import subscriptions
from marketplace.webhooks.models import Subscription
from marketplace.webhooks.states import SUBSCRIBABLE
from tests import factories as make
from tests.acts import horizon
from tests.webhooks.receiver import Came

ALL = [kind.value for kind in SUBSCRIBABLE]
SOMEWHERE = "https://hooks.example.org/in"


def subscribe(requester: Requester, url: str = SOMEWHERE, events: Sequence[str] = ALL) -> tuple[Subscription, str]:
    """A webhook of the organisation's, and its secret."""
    by = make.owner_of(requester)
    with one_transaction(principal="test"):
        return subscriptions.add_webhook(requester_id=requester.pk, url=url, events=events, by=by)


def note_all() -> None:
    """Turn all that happened into deliveries."""
    from marketplace.webhooks.tasks import note_events

    horizon()
    note_events()


def answer_all(batch: Batch, tasks: int, workers: int) -> None:
    """So many new workers answer every task."""
    for _ in range(workers):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, tasks))


def said(came: Came) -> Any:
    """The event of a request."""
    return json.loads(came.body)


def is_signed(came: Came, secret: str) -> bool:
    """Whether the request is signed under this secret, as a receiver would find out from the description alone."""
    parts = [part.split("=", 1) for part in came.headers["Touchstone-Signature"].split(",")]
    at = next(value for name, value in parts if name == "t")
    wanted = hmac.new(secret.encode(), f"{at}.".encode() + came.body, hashlib.sha256).hexdigest()
    return wanted in [value for name, value in parts if name == "v1"]
