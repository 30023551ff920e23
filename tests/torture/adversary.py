"""Tries by raw SQL what the honest program never does: each wall is touched every second, alone.

All of it happens in a batch of its own and is rolled back, so that it neither waits for anybody nor leaves anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

import psycopg

from tests.torture import sql
from tests.torture.findings import INVARIANT, SURPRISE, Finding, Findings
from tests.torture.site import Site
from tests.torture.stage import Stage

HELD_S = 1.2  # for how long the straggler keeps its event to itself


class Adversary:
    """A thread that attacks; any success is a finding, and so is an attack that could not even be tried."""

    def __init__(self, site: Site, stage: Stage, findings: Findings, every_s: float = 1.0) -> None:
        self.tried = 0
        self._site = site
        self._stage = stage
        self._findings = findings
        self._every_s = every_s
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._attack, self._straggle)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _attack(self) -> None:
        while not self._over.is_set():
            started = time.monotonic()
            try:
                with self._site.connect("app") as app, self._site.connect("owner") as owner:
                    for finding in attacks(app, owner, self._stage):
                        self._findings.add([finding] if finding else [])
                        self.tried += 1
                        if self._over.is_set():
                            return
            except (psycopg.OperationalError, psycopg.InterfaceError):
                pass  # somebody killed the database
            self._over.wait(max(0.2, self._every_s - (time.monotonic() - started)))

    def _straggle(self) -> None:
        """Write an event, dawdle, and see whether a reader has passed it before it was there to be seen."""
        while not self._over.is_set():
            try:
                with self._site.connect("app") as writer, self._site.connect() as reader, writer.transaction():
                    row = writer.execute(sql.EVENT).fetchone()
                    self._over.wait(HELD_S)
                    passed = reader.execute(sql.CURSOR_PASSED, row).fetchone()
                    writer.execute("SELECT 1")  # a writer that a fault has ended meanwhile has no event any more
                    if passed:
                        what = f"{passed[0]} passed an event that was not committed yet"
                        self._findings.add([Finding(INVARIANT, "straggler", what, str(row))])
            except (psycopg.OperationalError, psycopg.InterfaceError):
                pass
            self._over.wait(0.5)


def attacks(
    app: psycopg.Connection[Any], owner: psycopg.Connection[Any], stage: Stage, first: Collection[str] = ()
) -> Iterator[Finding | None]:
    """Try all of them, those that are named before the others: for each a finding, or None where all is well."""
    roles, facts = {"app": app, "owner": owner}, arena_of(owner, stage)
    for name in sorted(sql.ATTACKS, key=lambda name: name not in first):
        role, legal, forbidden = sql.ATTACKS[name]
        yield attack(roles[role], name, legal, forbidden, facts)


def arena_of(database: psycopg.Connection[Any], stage: Stage) -> dict[str, Any]:
    """What attacks are filled in with."""
    people = {"worker": stage.arena_workers[0].id, "other": stage.arena_workers[1].id}
    given = {**people, "own": stage.arena_owner_worker, "batch": stage.arena_batch}
    with database.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute(sql.ARENA, given).fetchone()
    assert row is not None, "the arena is gone"
    return row


def attack(
    database: psycopg.Connection[Any], name: str, legal: list[str], forbidden: str, facts: dict[str, Any]
) -> Finding | None:
    """Try one attack and undo it. A finding if it was not refused, or if what leads up to it was."""
    step = "legal"
    try:
        with database.transaction(force_rollback=True):
            for statement in legal:
                database.execute(statement, facts)
            step = "forbidden"
            done = database.execute(forbidden, facts)
            database.execute(sql.TELL, facts)
            database.execute("SET CONSTRAINTS ALL IMMEDIATE")
            if done.rowcount:
                return Finding(INVARIANT, f"adversary:{name}", name, forbidden)
            return Finding(SURPRISE, "adversary", f"{name} hit nothing", forbidden)
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except psycopg.Error as refused:
        if step == "legal":
            return Finding(SURPRISE, "adversary", f"{name} could not be tried", f"{refused}")
        if isinstance(
            refused, psycopg.errors.SyntaxError | psycopg.errors.UndefinedColumn | psycopg.errors.UndefinedTable
        ):
            return Finding(SURPRISE, "adversary", f"{name} is no statement", f"{refused}")
        return None
