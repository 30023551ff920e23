"""One example of a state machine: a transaction that begins with an empty market and is rolled back at its end."""

from collections.abc import Callable

from django.db import connection, transaction

from marketplace.common.database import run
from tests.acts import broken


class RolledBack:
    """An atomic block that counts as a test's own, so that `one_transaction` opens savepoints in it.

    `random()` of the database begins anew, so that an example takes the same way when it is tried again.
    """

    def __init__(self) -> None:
        assert not connection.in_atomic_block
        self._block = transaction.atomic()
        self._block._from_testcase = True  # type: ignore[attr-defined]  # as Django's own TestCase does
        self._block.__enter__()
        run("SELECT setseed(0.5)")

    def end(self, *checks: Callable[[], None]) -> None:
        """Check what is only checked at a commit, then the promises, then more; and roll back in any case."""
        try:
            if not connection.needs_rollback:
                run("SET CONSTRAINTS ALL IMMEDIATE")
                assert broken() == []
                for check in checks:
                    check()
        finally:
            transaction.set_rollback(True)
            self._block.__exit__(None, None, None)
