"""./run torture, inside its stack."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deploy.stack.paths import ROOT
from deploy.stack.variables import Stack
from tests.torture import report
from tests.torture.actors.base import Setting
from tests.torture.actors.registry import people
from tests.torture.control import Control
from tests.torture.cutter import Cutter
from tests.torture.mutants import MUTANTS
from tests.torture.options import Options, parse
from tests.torture.plan import draw
from tests.torture.prepare import prepare
from tests.torture.run import Run
from tests.torture.site import Site
from tests.torture.stage import HOST, Stage
from tests.torture.trials import CLIENTS, TASKS, Trials, table


def say(text: str) -> None:
    """Progress, to stderr."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 clean, 1 not."""
    options = parse(arguments)
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it warns of every session that a fault ends
    if options.list_mutants:
        for mutant in MUTANTS.values():
            print(f"{mutant.name:<28} {mutant.sentence}")
        return 0
    stack = Stack.read(Path(os.environ["TOUCHSTONE_DATA"]))
    if stack is None:
        say("There is no running stack: start this by ./run torture.")
        return 1
    site = Site(stack)
    journals = site.data / "journals"
    if options.mutants or options.all_mutants:
        return trials(site, options, journals)
    return torture(site, options, journals)


def torture(site: Site, options: Options, journals: Path) -> int:
    """One run with faults."""
    planned = draw(
        seed=options.seed,
        seconds=options.seconds / 2 if options.mode == "liveness" else options.seconds,
        kills=options.least_kills,
    )
    say("The fault plan:")
    for fault in planned:
        say(f"  {fault}")
    stage = set_the_stage(site, options, journals)
    say("The crowd begins.")
    run = Run(
        site=site,
        stage=stage,
        seed=options.seed,
        seconds=options.seconds / 2 if options.mode == "liveness" else options.seconds,
        clients=options.clients,
        plan=planned,
        folder=journals,
        say=say,
        liveness=options.mode == "liveness",
    )
    outcome = run.go()
    measured = report.figures(options, outcome, planned)
    if options.json:
        for line in report.findings(outcome):
            say(line)
        print(json.dumps(measured), flush=True)
    else:
        print("\n".join(report.lines(measured, outcome)), flush=True)
    if not measured["ok"]:
        say(f"Logs and journals are in {keep_evidence(site, f'seed-{options.seed}')}.")
    return 0 if measured["ok"] else 1


def keep_evidence(site: Site, name: str) -> Path:
    """Copy what tells the story of a run to where the end of the stack does not remove it."""
    kept = site.data / "results" / name
    shutil.rmtree(kept, ignore_errors=True)
    for part in ("logs", "journals"):
        shutil.copytree(site.data / part, kept / part)
    return kept


def trials(site: Site, options: Options, journals: Path) -> int:
    """Mutants instead of faults."""
    small = replace(options, clients=CLIENTS, tasks=TASKS)
    stage = set_the_stage(site, small, journals, time_limit_s=2, auto_accept_s=3, max_attempts=2, oddity=4)
    told = Trials(site, options, journals, say, stage).run()
    if options.json or not options.all_mutants:
        print(json.dumps(told if options.all_mutants or len(told) > 1 else told[0]), flush=True)
    else:
        print("\n".join(table(told)), flush=True)
    return 0 if all(line.get("caught") or line.get("clean") or line.get("left") for line in told) else 1


def set_the_stage(site: Site, options: Options, journals: Path, **terms: int) -> Stage:
    """People, money and batches; what the clients were told is in the folder's journals."""
    started = time.monotonic()
    journals.mkdir(parents=True, exist_ok=True)
    requesters, workers = people(options.clients)
    file = site.data / "stage.json"
    numbers = [requesters, workers, options.overlap, options.tasks]
    cast = [sys.executable, "-m", "tests.torture.cast", str(file), *map(str, numbers)]
    subprocess.run(cast, check=True, cwd=ROOT)
    stage = replace(Stage.read(file), **terms)
    cutter = Cutter(HOST, site.web_port)
    prepare(Setting(stage, options.seed, site.web_port, cutter.port, journals, Control()))
    cutter.close()
    stage.write(file)
    say(f"The stage is set ({time.monotonic() - started:.1f} s).")
    return stage


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
