"""Mutants tried one after the other on one stack: each in a copy of the database, with new processes where needed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.torture.engine import GRACE_S
from tests.torture.hooks.torture_mutant import changed
from tests.torture.mutants import MUTANTS, Mutant
from tests.torture.options import Options
from tests.torture.plan import Fault
from tests.torture.run import Outcome, Run
from tests.torture.site import Site, kill, wait
from tests.torture.stage import Stage

LIMIT_S = 60.0
CLIENTS = 12
TASKS = 120
CONTROL_S = 12.0
TEMPLATE = "torture_template"
DATABASE = "touchstone"
PROCESSES = ("web", "live", "relay", "worker", "beat")

FUNCTION = "SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.proname = %s"


class Trials:
    """Every mutant asked for must be caught; with all of them goes a control run that must be clean."""

    def __init__(self, site: Site, options: Options, journals: Path, say: Callable[[str], None], stage: Stage) -> None:
        self._site = site
        self._options = options
        self._prepared = journals
        self._say = say
        self._stage = stage
        self._mutated_sources: list[Any] = []

    def run(self) -> list[dict[str, Any]]:
        """Try them; a line of figures for each, the control run among them where all are asked for."""
        with self._site.connect(dbname="postgres") as database:
            self._copy(database, DATABASE, TEMPLATE)
        if not self._options.all_mutants:
            return [self._try(MUTANTS[name]) for name in self._options.mutants]
        # Those that change the program come last, because each needs new processes.
        ordered = sorted(MUTANTS.values(), key=lambda mutant: bool(mutant.sources))
        told = [self._try(mutant) for mutant in ordered]
        longest = max(line["seconds"] for line in told if line["caught"] or len(told) == 1) if told else 0.0
        return [*told, self._control(max(CONTROL_S, longest))]

    def _try(self, mutant: Mutant) -> dict[str, Any]:
        self._start_afresh(mutant)
        plan = [Fault(at, "kill_postgres") for at in (2.5, 7.0, 12.0, 18.0, 25.0, 33.0, 42.0)]
        outcome = self._run(mutant.name, LIMIT_S, plan if mutant.kills_postgres else [], ends_early=True)
        first = outcome.findings.first
        line = {
            "mutant": mutant.name,
            "caught": first is not None,
            "by": first.by if first else None,
            "what": first.what if first else None,
            "seconds": round(outcome.findings.first_after_s if first else outcome.seconds, 1),
        }
        self._say(f"{mutant.name:<22} {'caught by ' + str(line['by']) if first else 'NOT CAUGHT'}, {line['seconds']} s")
        return line

    def _control(self, seconds: float) -> dict[str, Any]:
        """The same without a mutation: whatever it finds is a fault of the rig, or of the product."""
        self._start_afresh(Mutant("control", "Nothing is changed."))
        outcome = self._run("control", seconds, [], ends_early=False)
        found = outcome.findings.all()
        for finding in found:
            self._say(f"  {finding}")
        self._say(f"{'control':<22} {'NOT CLEAN' if found else 'clean'}, {outcome.seconds:.1f} s")
        return {"mutant": "control", "clean": not found, "seconds": round(outcome.seconds, 1)}

    def _run(self, name: str, seconds: float, plan: list[Fault], *, ends_early: bool) -> Outcome:
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
            until=lambda findings: ends_early and findings.first is not None,
        ).go()

    def _start_afresh(self, mutant: Mutant) -> None:
        with self._site.connect(dbname="postgres") as database:
            self._copy(database, TEMPLATE, DATABASE)
        self._site.valkey().flushall()
        with self._site.connect() as database:
            mutate(database, mutant)
        sources = [list(change) for change in mutant.sources]
        if sources != self._mutated_sources:
            self._mutated_sources = sources
            (self._site.control / "mutant.json").write_text(json.dumps(sources))
            self._restart()
        if not wait(self._site.healthy, 60.0):
            raise RuntimeError(f"the site does not become healthy with the mutant {mutant.name}")
        time.sleep(GRACE_S / 4)

    def _restart(self) -> None:
        old = {name: self._site.mains(name) for name in PROCESSES}
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
        by = ("clean" if line["clean"] else "NOT CLEAN") if "clean" in line else line["by"] or "NOT CAUGHT"
        sentence = MUTANTS[line["mutant"]].sentence if line["mutant"] in MUTANTS else "nothing"
        lines.append(f"{line['mutant']:<22} {by:<40} {line['seconds']:>7.1f}  {sentence}")
    return [head, *lines]
