"""What nearly every test does around its act: a transaction of its own, and a look at the promises."""

from collections.abc import Callable
from typing import Any

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
