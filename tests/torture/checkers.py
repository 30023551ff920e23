"""What looks for damage while the run goes on and after it. A new checker is a class, and a line in `CHECKERS`."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar

import psycopg

from tests.torture import sql
from tests.torture.archives import opened
from tests.torture.compare import Held, Settled, Stored, Version, compare, tasks_given_twice
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
from tests.torture.heard import Entry, heard
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
    broken_s: Callable[[float], float]  # for how many of so many last seconds anything was broken
    halted_s: Callable[[float], float]  # for how many of so many last seconds no sweep could run


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
        yield from broken_promises(database)


def broken_promises(database: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Every view that is not empty."""
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
    """Nothing that is due waits: for short where nothing was broken lately, or for long while sweeps could run. Time
    in which a fault has taken away what they run on does not count: faults in a row would make any limit meaningless.
    What was left undone by a fault stands before what comes after it, so for a while both may wait for long."""

    name = "due"
    quick = True
    every_s = 0.5

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._began = time.monotonic()

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        for kind, statement in sql.WAITING.items():
            row = database.execute(statement).fetchone()
            # A run may begin with work that was left long ago: it had no more time for that than it has lasted.
            late_s = min(float(row[0] or 0.0) if row else 0.0, time.monotonic() - self._began)
            # Both the work and the health of the site must be old enough.
            calm = min(late_s, self.scene.healthy_for_s())
            able_s = late_s - self.scene.halted_s(late_s)
            after_crash = self.scene.broken_s(LATE_AFTER_CRASH_S) > 0
            if calm > (LATE_AFTER_CRASH_S if after_crash else LATE_S) or able_s > LATE_AFTER_CRASH_S:
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


class DataSets(Checker):
    """Opens every archive that is done, and looks again whether its bytes stay. Versions of a batch are numbered
    without a gap; only accepted and upheld answers are in them (R42); equal inputs have equal bytes."""

    name = "datasets"
    every_s = 2.0

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.built_s: dict[int, tuple[str, float]] = {}  # state and seconds since it was asked for, or until it ended
        self._first: dict[int, tuple[str, str]] = {}  # of each version when it was first seen done
        self._answers: dict[int, list[tuple[str, str]]] = {}
        self._made_of: dict[str, tuple[str, str]] = {}  # by inputs: which version, and the hash of its archive

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        with database.transaction():
            database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield from self._versions(database)
            for run, answer, state in database.execute(sql.RESTS_ON_REJECTED).fetchall():
                yield Finding(INVARIANT, self.name, f"results {run}", f"rest on answer {answer}, which is {state}")

    def _versions(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        last: dict[str, int] = {}
        states = {row[0]: row[1] for row in database.execute(sql.ASSIGNMENTS)}
        for row in database.execute(sql.DATASETS).fetchall():
            batch, number, state, error, dataset = row[0], row[1], row[6], row[7], row[10]
            name = f"data set {batch} {number}"
            if number != last.get(batch, 0) + 1:
                yield Finding(INVARIANT, self.name, name, f"follows number {last.get(batch, 0)}")
            last[batch] = number
            self.built_s[dataset] = (state, row[11])
            if state == "failed" and not error.strip():
                yield Finding(INVARIANT, self.name, name, "failed without words")
            if state == "done":
                yield from self._archive(database, name, row, states)

    def _archive(
        self, database: psycopg.Connection[Any], name: str, row: tuple[Any, ...], states: dict[str, str]
    ) -> Iterator[Finding]:
        archive_sha256, content_sha256, dataset, stored = row[8], row[9], row[10], row[12]
        content = b""
        for at, body in database.execute(sql.ARCHIVE, [dataset]).fetchall():
            if at != len(content):
                yield Finding(INVARIANT, self.name, name, f"a part is at {at}, {len(content)} bytes come before it")
                return
            content += body
        digest = sha256(content).hexdigest()
        if dataset not in self._first:
            self._first[dataset] = (digest, stored)
            found = opened(content)
            self._answers[dataset] = found.answers
            problems = list(found.problems)
            if (digest, found.content_sha256) != (archive_sha256, content_sha256):
                problems.append(
                    f"hashes {digest} and {found.content_sha256}, stored {archive_sha256}, {content_sha256}"
                )
            for problem in problems:
                yield Finding(INVARIANT, self.name, name, problem)
            # Single answers are read when the version is made: with others it has other inputs.
            inputs = json.dumps([*row[2:6], sorted(found.answers)], sort_keys=True)
            twin, wanted = self._made_of.setdefault(inputs, (name, digest))
            if digest != wanted:
                yield Finding(INVARIANT, self.name, name, f"has other bytes than {twin}, made of the same")
        elif self._first[dataset] != (digest, stored):
            yield Finding(INVARIANT, self.name, name, "changed after it was done")
        for answer, said in self._answers[dataset]:
            if states.get(answer) not in ("accepted", "upheld"):
                yield Finding(INVARIANT, self.name, name, f"has answer {answer} as {said}: {states.get(answer)}")


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


class ListenersHeard(Checker):
    """What came over sockets is what the streams hold: every number once, in order, and none missing at the end."""

    name = "heard"
    every_s = 3.0

    def look(self, database: psycopg.Connection[Any]) -> Iterator[Finding]:
        self.scene.journals.read_on()
        facts = [fact for fact in self.scene.journals.facts if fact["did"] in ("began", "heard", "left")]
        streams: dict[str, dict[int, Entry]] = defaultdict(dict)
        for worker, seq, kind, at in database.execute(sql.STREAMS, [list({fact["worker"] for fact in facts})]):
            streams[worker][seq] = Entry(kind, at)
        yield from heard(facts, streams, any(fact["did"] == "left" for fact in facts))


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
    DataSets,
    ClientsSaw,
    ListenersHeard,
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

    def end(self, *, early: bool = False) -> None:
        """Stop, and look at everything once more: now everything must be right and can be seen. Who ends early has
        found what he looked for, and looks at nothing again."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        if early:
            return
        with self._scene.site.connect() as database:
            for checker in self.checkers:
                self._findings.add(checker.look(database))

    def late_returns(self) -> list[float]:
        """Seconds from the end of a lease until its place was free, for each."""
        checker = next(checker for checker in self.checkers if isinstance(checker, LateReturns))
        with self._scene.site.connect() as database:
            return checker.measured(database)

    def data_sets(self) -> list[tuple[str, float]]:
        """Of each version of a data set its state, and the seconds from the request to its end."""
        checker = next(checker for checker in self.checkers if isinstance(checker, DataSets))
        return list(checker.built_s.values())

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
            runs=dict(database.execute(sql.RUNS).fetchall()),
            datasets={(row[0], row[1]): Version(*row[2:10]) for row in database.execute(sql.DATASETS)},
            adjudications={row[0]: Settled(*row[1:]) for row in database.execute(sql.ADJUDICATIONS)},
            pilots={row[0]: (row[1], row[2]) for row in database.execute(sql.PILOTS)},
            links={row[0]: row[1:] for row in database.execute(sql.LINKS)},
            given={row[:4]: row[4] for row in database.execute(sql.GIVEN)},
            payments_twice=dict(database.execute(sql.PAYMENTS).fetchall()),
        )


def _size(site: Site) -> int:
    try:
        return site.postgres_log.stat().st_size
    except OSError:
        return 0
