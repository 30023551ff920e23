"""What looks for damage while the run goes on and after it. A new checker is a class, and a line in `CHECKERS`."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import psycopg

from tests.torture import sql
from tests.torture.compare import Held, Stored, compare, tasks_given_twice
from tests.torture.findings import (
    DEADLOCK,
    HTTP_5XX,
    INVARIANT,
    OVERLAP,
    STUCK,
    SURPRISE,
    Finding,
    Findings,
)
from tests.torture.journal import Journals
from tests.torture.site import Site

# An overdue lease or other due work may wait so long: R15 says 5 s, and 60 s after a crash of anything.
LATE_S = 8.0
LATE_AFTER_CRASH_S = 60.0
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass
class Scene:
    """What checkers look at."""

    site: Site
    journals: Journals
    excused: Callable[[float, float], bool]  # whether the site had a reason not to answer at some moment between
    healthy_for_s: Callable[[], float]
    halted_s: Callable[[float], float]  # for how many of so many last seconds no sweep could run
    late_s: float = LATE_S


class Checker:
    """Looks at the database through a connection of its own; `database` is in autocommit as the superuser."""

    name: ClassVar[str]
    every_s: ClassVar[float] = 1.0
    quick: ClassVar[bool] = False  # its look takes milliseconds; it must not wait for those that read all there is

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def look(self, database: psycopg.Connection[Any]) -> Iterable[Finding]:
        """What is wrong now."""
        raise NotImplementedError


class Promises(Checker):
    """Every view `inv_r…`, all in one snapshot. Each must be empty in every snapshot: none is only eventually true."""

    name = "promises"

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        with database.transaction():
            database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for (view,) in database.execute(sql.VIEWS).fetchall():
                rows = database.execute(sql.VIEW.format(view=view)).fetchall()
                if rows:
                    yield Finding(INVARIANT, view, view, f"{rows[0][0]} rows, as {'; '.join(row[1] for row in rows)}")


class Overlap(Checker):
    """Counts live assignments without asking any view or counter."""

    name = "overlap"

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        for task, overlap, live in database.execute(sql.OVERFILLED):
            yield Finding(OVERLAP, self.name, f"task {task}", f"{live} live answers, {overlap} wanted")


class Poison(Checker):
    """Counts who gave a task up without asking its counter."""

    name = "poison"

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        for task, most, gave_up in database.execute(sql.POISON):
            yield Finding(INVARIANT, self.name, f"task {task}", f"{gave_up} workers gave it up, {most} are enough")


class HalfImports(Checker):
    """Counts tasks against imports without asking any counter of theirs."""

    name = "half_imports"
    every_s = 2.0

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        for batch, tasks, brought in database.execute(sql.HALF_IMPORTS):
            yield Finding(INVARIANT, self.name, f"batch {batch}", f"{tasks} tasks, imports brought {brought}")


class ScoredOnce(Checker):
    """Each answer waits for its score or has its outcome, and never both."""

    name = "scored_once"

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        row = database.execute(sql.UNSCORED).fetchone()
        if row and row[0] != row[1] + row[2]:
            yield Finding(INVARIANT, self.name, self.name, f"{row[0]} answers, {row[1]} waiting, {row[2]} outcomes")


class Due(Checker):
    """Nothing that is due waits: for short while nothing is broken, or for long while sweeps could run. Time in which
    a fault has taken away what they run on does not count: faults in a row would make any limit meaningless."""

    name = "due"
    quick = True
    every_s = 0.5

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        for kind, statement in sql.WAITING.items():
            row = database.execute(statement).fetchone()
            late_s = float(row[0] or 0.0) if row else 0.0
            # Both the work and the health of the site must be old enough.
            calm = min(late_s, self.scene.healthy_for_s())
            able_s = late_s - self.scene.halted_s(late_s)
            if calm > self.scene.late_s or able_s > LATE_AFTER_CRASH_S:
                assert row is not None
                text = f"{row[1]} wait, the oldest for {late_s:.1f} s, of which sweeps could run {able_s:.1f} s"
                yield Finding(STUCK, f"due:{kind}", kind, text)


class LateReturns(Checker):
    """How long after its end a lease is taken back, by the database's clock. It only measures; `Due` judges."""

    name = "late_returns"
    every_s = 0.5
    quick = True

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ends: dict[str, set[datetime]] = defaultdict(set)

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        for assignment, end in database.execute(sql.OVERDUE).fetchall():
            self._ends[assignment].add(end)
        yield from ()

    def measured(self, database: psycopg.Connection[Any]) -> list[float]:
        """Seconds for each expiry there was. An assignment that is still expired knows its end. One that was taken
        again since does not, and if no look met it, it was shorter than the pause between two looks."""
        measured = []
        last: dict[str, datetime] = {}
        for assignment, at, known in database.execute(sql.EXPIRIES).fetchall():
            since = last.get(assignment, BEGINNING)
            ends = [end for end in (known, *self._ends.get(assignment, ())) if end is not None and since < end <= at]
            measured.append((at - max(ends)).total_seconds() if ends else self.every_s)
            last[assignment] = at
        return sorted(measured)


class JournalsAgainstDatabase(Checker):
    """What was acknowledged is stored."""

    name = "journal"
    every_s = 2.0

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        journals = self.scene.journals
        journals.read_on()
        facts = list(journals.facts)  # read before the database, so all of it must be there
        yield from compare(facts, stored(database))
        yield from tasks_given_twice(facts)


class ClientsSaw(Checker):
    """What clients noticed by themselves: wrong answers, refusals that make no sense, server errors."""

    name = "clients"

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        self.scene.journals.read_on()
        yield from self.told()

    def told(self) -> Iterator[Finding]:
        """From the journals alone."""
        for fact in list(self.scene.journals.facts):
            if fact["did"] == "wrong":
                yield Finding(fact["kind"], "client", fact["what"], fact["detail"])
            elif fact["did"] == "surprise":
                yield Finding(SURPRISE, "client", fact["what"], fact["detail"])
            elif fact["did"] == "5xx" and not self.scene.excused(fact["asked"], fact["at"]):
                yield Finding(HTTP_5XX, "client", f"{fact['status']} {fact['at']}", f"{fact['path']} {fact['code']}")


class Deadlocks(Checker):
    """By the statistics, which a crash resets, and by the server's log, which nothing resets."""

    name = "deadlocks"
    quick = True
    PATTERN: ClassVar[re.Pattern[bytes]] = re.compile(rb"ERROR:  deadlock detected")

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._from = _size(scene.site)
        self._first: int | None = None

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        row = database.execute(sql.DEADLOCKS).fetchone()
        counted = int(row[0]) if row else 0
        self._first = counted if self._first is None else min(self._first, counted)
        for number in range(max(counted - self._first, self.in_log())):
            yield Finding(DEADLOCK, self.name, f"deadlock {number + 1}", str(self.scene.site.postgres_log))

    def in_log(self) -> int:
        """How often the log says so since the run began."""
        with self.scene.site.postgres_log.open("rb") as file:
            file.seek(self._from)
            return len(self.PATTERN.findall(file.read()))


CHECKERS: list[type[Checker]] = [
    Promises,
    Overlap,
    Poison,
    HalfImports,
    ScoredOnce,
    Due,
    LateReturns,
    JournalsAgainstDatabase,
    ClientsSaw,
    Deadlocks,
]


class Watch:
    """Runs the checkers, the quick ones in a thread of their own, each at its pace, and those of a thread together for
    at most a third of the time. Dead servers are waited for."""

    def __init__(self, scene: Scene, findings: Findings, kinds: Iterable[type[Checker]] = tuple(CHECKERS)) -> None:
        self.checkers = [kind(scene) for kind in kinds]
        self.looks = 0
        self._scene = scene
        self._findings = findings
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(mine,), name="checkers", daemon=True)
            for mine in ([checker for checker in self.checkers if checker.quick is quick] for quick in (True, False))
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop, and look at everything once more: now everything must be right and can be seen."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        with self._scene.site.connect() as database:
            for checker in self.checkers:
                self._findings.add(checker.look(database))

    def late_returns(self) -> list[float]:
        """Seconds from the end of a lease until its place was free, for each."""
        checker = next(checker for checker in self.checkers if isinstance(checker, LateReturns))
        with self._scene.site.connect() as database:
            return checker.measured(database)

    def _run(self, checkers: list[Checker]) -> None:
        due = dict.fromkeys(checkers, 0.0)
        database: psycopg.Connection[Any] | None = None
        while not self._over.wait(0.05):
            for checker in [checker for checker, at in due.items() if at <= time.monotonic()]:
                if self._over.is_set():
                    break
                started = time.monotonic()
                try:
                    if database is None or database.closed:
                        database = self._scene.site.connect()
                    self._findings.add(list(checker.look(database)))
                    self.looks += 1
                except psycopg.Error as error:
                    if database is not None:
                        database.close()
                    if not isinstance(error, psycopg.OperationalError):
                        self._findings.add([Finding(SURPRISE, checker.name, type(error).__name__, str(error))])
                took = time.monotonic() - started
                self._over.wait(took * 2)
                due[checker] = started + max(checker.every_s, took * 3)
        if database is not None:
            database.close()


def stored(database: psycopg.Connection[Any]) -> Stored:
    """What the database holds now."""
    with database.transaction():
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return Stored(
            answers={(row[0], row[1]): (row[2], row[3]) for row in database.execute(sql.ANSWERS)},
            assignments={row[0]: Held(*row[1:]) for row in database.execute(sql.ASSIGNMENTS)},
            drafts=dict(database.execute(sql.DRAFTS).fetchall()),
            deposits={row[0]: (row[1], row[2], row[3]) for row in database.execute(sql.DEPOSITS)},
            batches={row[0]: (row[1], row[2]) for row in database.execute(sql.BATCHES)},
            imports={(row[0], row[1]): (row[2], row[3]) for row in database.execute(sql.IMPORTS)},
            payouts={row[0]: (row[1], row[2]) for row in database.execute(sql.PAYOUTS)},
            bonuses={(row[0], row[1]): (row[2], row[3]) for row in database.execute(sql.BONUSES)},
            sanctions={row[0]: (row[1], row[2], row[3]) for row in database.execute(sql.SANCTIONS)},
            payments_twice=dict(database.execute(sql.PAYMENTS).fetchall()),
        )


def _size(site: Site) -> int:
    try:
        return site.postgres_log.stat().st_size
    except OSError:
        return 0
