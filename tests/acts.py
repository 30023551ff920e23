"""What nearly every test does around its act: a transaction of its own, and a look at the promises."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from marketplace.common.database import value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction


def in_one(command: Callable[..., Any], **arguments: Any) -> Any:
    """Run a command in a transaction of its own."""
    with one_transaction(principal="test"):
        return command(**arguments)


def broken() -> list[str]:
    """The promises that do not hold, each with the first rows that break it."""
    return [f"{finding.name} {finding.first}" for finding in check_promises() if finding.violations]


def broken_views() -> list[str]:
    """The names of the promises that do not hold."""
    return [finding.name for finding in check_promises() if finding.violations]


def horizon() -> None:
    """Wait until no older transaction, even of another test's database beside this one, hides what was published:
    a reader of the outbox may see the first events of a test before the last."""
    deadline = time.monotonic() + 60
    while value("SELECT max(xid) >= pg_snapshot_xmin(pg_current_snapshot()) FROM common_outbox"):
        assert time.monotonic() < deadline, "an older transaction never ends"
        time.sleep(0.01)


@contextmanager
def undone() -> Iterator[None]:
    """What happens within is taken back, whole transactions too. For code under test it looks like a test's own
    transaction: it may open durable ones within."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)
