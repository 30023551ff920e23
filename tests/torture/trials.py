"""Mutants tried one after the other on one stack: each in a copy of the database, with new processes where needed.

A crowd takes its time to begin, to be hurt and to end. So where only the database is changed, the attacks and the
promises are asked first, in a copy in which nobody works: most walls are missed there within a second.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg

from tests.torture.adversary import attacks
from tests.torture.checkers import broken_promises
from tests.torture.engine import GRACE_S
from tests.torture.findings import SURPRISE, Finding
from tests.torture.hooks.torture_mutant import changed
from tests.torture.mutants import MUTANTS, Mutant
from tests.torture.options import Options
from tests.torture.plan import Fault
from tests.torture.run import Outcome, Run
from tests.torture.site import Site, kill, wait
from tests.torture.stage import Stage

# Some show only where a rejection, a data set and a look come together, which took up to 45 s on a quiet machine.
LIMIT_S = 120.0
CLIENTS = 12
TASKS = 120
CONTROL_S = 12.0
TEMPLATE = "torture_template"
DATABASE = "touchstone"
ALONE = "torture_alone"
LATE = "due:"
STARTS_S = 120.0
NOTHING = Mutant("control", "Nothing is changed.")

FUNCTION = "SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.proname = %s"


class Trials:
    """Every mutant asked for must be caught; with all of them go two controls that must be clean."""

    def __init__(self, site: Site, options: Options, journals: Path, say: Callable[[str], None], stage: Stage) -> None:
        self._site = site
        self._options = options
        self._prepared = journals
        self._say = say
        self._stage = stage
        self._mutated_sources: list[Any] = []
        self._mutated_processes: Collection[str] = ()
        self._need_people = 0

    def run(self) -> list[dict[str, Any]]:
        """Try them; a line of figures for each, the controls among them where all are asked for. Of those that need a
        crowd only some may be asked for: the others are told as left."""
        with self._site.connect(dbname="postgres") as database:
            self._copy(database, DATABASE, TEMPLATE)
        if not self._options.all_mutants:
            return [self._try(MUTANTS[name]) for name in self._options.mutants]
        alone = self._control_alone()
        # Those that change the program come last, because each needs new processes; alike ones follow each other.
        ordered = sorted(MUTANTS.values(), key=lambda mutant: (bool(mutant.sources), mutant.runs_in))
        told = [self._try(mutant) for mutant in ordered]
        longest = max((line["seconds"] for line in told if line.get("caught")), default=0.0)
        return [*told, alone, self._control(max(CONTROL_S, longest))]

    def _try(self, mutant: Mutant) -> dict[str, Any]:
        began = time.monotonic()
        # A surprise of the adversary says that something went otherwise, and not what the wall is for.
        found = [] if mutant.sources else self._alone(mutant)
        first = next((finding for finding in found if finding.kind != SURPRISE), None)
        seconds = time.monotonic() - began
        if first is None:
            self._need_people += 1
            if self._options.every > 1 and self._need_people % self._options.every != 1:
                return {"mutant": mutant.name, "left": True}
            first, seconds = self._among_people(mutant)
        line = {
            "mutant": mutant.name,
            "caught": first is not None,
            "by": first.by if first else None,
            "what": first.what if first else None,
            "seconds": round(seconds, 1),
            "took": round(time.monotonic() - began, 1),
        }
        text = f"{'caught by ' + first.by if first else 'NOT CAUGHT'}, {line['seconds']} s of {line['took']}"
        self._say(f"{mutant.name:<22} {text}")
        return line

    def _alone(self, mutant: Mutant, *, whole: bool = False) -> list[Finding]:
        """What is noticed where nobody works: up to the first that is no surprise, or the whole of it. The attacks that
        the mutant should let through come first."""
        with self._site.connect(dbname="postgres") as database:
            database.execute(f"DROP DATABASE IF EXISTS {ALONE} WITH (FORCE)")
            database.execute(f"CREATE DATABASE {ALONE} TEMPLATE {TEMPLATE} STRATEGY file_copy OWNER touchstone_owner")
        found: list[Finding] = []
        with ExitStack() as sessions:
            superuser, app, owner = (
                sessions.enter_context(self._site.connect(role, dbname=ALONE)) for role in ("postgres", "app", "owner")
            )
            mutate(superuser, mutant)
            for finding in chain(attacks(app, owner, self._stage, mutant.lets), broken_promises(superuser)):
                if finding is None:
                    continue
                found.append(finding)
                if not whole and finding.kind != SURPRISE:
                    break
        return found

    def _among_people(self, mutant: Mutant) -> tuple[Finding | None, float]:
        """What is noticed first while a crowd works, and after how many seconds of its work."""
        self._start_afresh(mutant)
        plan = [Fault(at, "kill_postgres") for at in (2.5, 7.0, 12.0, 18.0, 25.0, 33.0, 42.0)]

        # A slow machine alone makes work late: this tells of a mutant only where it is what the mutant does.
        def telling(finding: Finding) -> bool:
            return not finding.by.startswith(LATE) or finding.by.removeprefix(LATE) in mutant.late

        outcome = self._run(mutant.name, LIMIT_S, plan if mutant.kills_postgres else [], telling)
        first = outcome.findings.first(telling)
        return first, outcome.findings.after_s(first) if first else outcome.seconds

    def _control_alone(self) -> dict[str, Any]:
        """Every attack and every promise in a copy without a mutation."""
        began = time.monotonic()
        return self._told_of_control("control_alone", self._alone(NOTHING, whole=True), time.monotonic() - began)

    def _control(self, seconds: float) -> dict[str, Any]:
        """The crowd without a mutation: whatever it finds is a fault of the rig, or of the product."""
        self._start_afresh(NOTHING)
        outcome = self._run("control", seconds, [])
        return self._told_of_control("control", outcome.findings.all(), outcome.seconds)

    def _told_of_control(self, name: str, found: list[Finding], seconds: float) -> dict[str, Any]:
        for finding in found:
            self._say(f"  {finding}")
        self._say(f"{name:<22} {'NOT CLEAN' if found else 'clean'}, {seconds:.1f} s")
        return {"mutant": name, "clean": not found, "seconds": round(seconds, 1)}

    def _run(
        self, name: str, seconds: float, plan: list[Fault], telling: Callable[[Finding], bool] = lambda finding: False
    ) -> Outcome:
        """A run that ends early when something is found that tells."""
        folder = self._site.data / "trials" / f"{name}-{time.monotonic_ns()}"
        shutil.copytree(self._prepared, folder)
        return Run(
            site=self._site,
            stage=self._stage,
            seed=self._options.seed,
            seconds=seconds,
            clients=CLIENTS,
            plan=plan,
            folder=folder,
            say=lambda text: None,
            attack_every_s=0.3,
            until=lambda findings: findings.first(telling) is not None,
        ).go()

    def _start_afresh(self, mutant: Mutant) -> None:
        with self._site.connect(dbname="postgres") as database:
            self._copy(database, TEMPLATE, DATABASE)
        self._site.valkey().flushall()
        with self._site.connect() as database:
            mutate(database, mutant)
        sources = [list(change) for change in mutant.sources]
        if sources != self._mutated_sources:
            (self._site.control / "mutant.json").write_text(json.dumps(sources))
            runs_in = mutant.runs_in if sources else ()
            self._restart({*self._mutated_processes, *runs_in})
            self._mutated_sources, self._mutated_processes = sources, runs_in
        # All of it: what has just been started would lag behind a crowd that takes the processors for itself.
        if not wait(lambda: self._site.healthy() and self._site.sweeps() and self._site.live_answers(), STARTS_S):
            raise RuntimeError(f"the site does not become healthy with the mutant {mutant.name}")
        time.sleep(GRACE_S / 4)

    def _restart(self, names: Collection[str]) -> None:
        old = {name: self._site.mains(name) for name in names}
        for pid in set().union(*old.values()):
            kill(pid)
        for name, were in old.items():
            wait(lambda name=name, were=were: len(self._site.mains(name) - were) == len(were), 30.0)  # type: ignore[misc]

    @staticmethod
    def _copy(database: psycopg.Connection[Any], source: str, target: str) -> None:
        """Make `target` a copy of `source`, whoever is connected to either."""
        database.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        database.execute(f"ALTER DATABASE {source} ALLOW_CONNECTIONS false")
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [source])
        for left in range(20, -1, -1):
            try:
                database.execute(f"CREATE DATABASE {target} TEMPLATE {source} OWNER touchstone_owner")
                break
            except psycopg.errors.ObjectInUse:
                if not left:
                    raise
                time.sleep(0.1)
        database.execute(f"ALTER DATABASE {source} ALLOW_CONNECTIONS {'false' if source == TEMPLATE else 'true'}")


def mutate(database: psycopg.Connection[Any], mutant: Mutant) -> None:
    """Take the wall down in the database. Raises `LookupError` where a pattern does not occur exactly once."""
    for name, pattern, replacement in mutant.functions:
        row = database.execute(FUNCTION, [name]).fetchone()
        if row is None:
            raise LookupError(f"there is no function {name}")
        database.execute(changed(row[0], pattern, replacement))
    for statement in mutant.statements:
        database.execute(statement)


def table(told: list[dict[str, Any]]) -> list[str]:
    """For people."""
    head = f"{'mutant':<22} {'caught by':<40} {'seconds':>7}  what was broken"
    lines = []
    for line in told:
        if "left" in line:
            continue
        by = ("clean" if line["clean"] else "NOT CLEAN") if "clean" in line else line["by"] or "NOT CAUGHT"
        sentence = MUTANTS[line["mutant"]].sentence if line["mutant"] in MUTANTS else "nothing"
        lines.append(f"{line['mutant']:<22} {by:<40} {line['seconds']:>7.1f}  {sentence}")
    left = sum("left" in line for line in told)
    return [head, *lines, *([f"{left} that need a crowd were left out"] if left else [])]
