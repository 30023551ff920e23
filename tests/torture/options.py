"""The command line of ./run torture. Standard library only: it is read before anything is started."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from tests.torture.mutants import MUTANTS


@dataclass(frozen=True)
class Options:
    """What is asked for: a run of its own length and size, or mutants."""

    seconds: float = 60.0
    seed: int = 1
    clients: int = 32
    mode: str = "safety"
    tasks: int = 2_000
    overlap: int = 3
    kills: int | None = None
    json: bool = False
    mutants: tuple[str, ...] = ()
    all_mutants: bool = False
    list_mutants: bool = False
    every: int = 1

    @property
    def needs_stack(self) -> bool:
        """Whether servers are needed at all."""
        return not self.list_mutants

    @property
    def least_kills(self) -> int:
        """How many kills are planned: ten a minute, unless asked otherwise."""
        return round(self.seconds / 6) if self.kills is None else self.kills


def parse(arguments: Sequence[str]) -> Options:
    """The options; a wrong command line ends the program with a sentence and 2."""
    parser = argparse.ArgumentParser(
        prog="./run torture",
        description="Let a crowd work while a plan drawn from the seed breaks what can break; check every promise.",
        epilog="Exit 0 only when nothing was lost, doubled, overfilled or stuck, and every planned kill happened.",
    )
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="how long the faults go on (60)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draws workload and faults (1)")
    parser.add_argument("--clients", type=int, default=32, metavar="C", help="requesters, workers and staff (32)")
    parser.add_argument("--mode", choices=("safety", "liveness"), default="safety", help="(safety)")
    parser.add_argument("--tasks", type=int, default=2_000, metavar="T", help="tasks at the start (2000)")
    parser.add_argument("--overlap", type=int, default=3, metavar="K", help="places of each task (3)")
    parser.add_argument("--kills", type=int, metavar="N", help="kills to plan (one for each 6 s)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of a summary")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--mutant", action="append", default=[], metavar="NAME", help="break a wall; exit 0 if noticed")
    group.add_argument("--mutants", action="store_true", help="every mutant, and two controls that must be clean")
    group.add_argument("--list-mutants", action="store_true", help="their names, each with a sentence")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="of the mutants that need a crowd, only each Nth (1)"
    )
    given = parser.parse_args(arguments)
    if given.seconds < 5 or given.clients < 6 or given.tasks < 10 or not 1 <= given.overlap <= 50:
        parser.error("at least 5 seconds, 6 clients and 10 tasks are needed, and an overlap from 1 to 50")
    if given.every < 1 or (given.every > 1 and not given.mutants):
        parser.error("--every goes with --mutants, and is a number from 1")
    unknown = [name for name in given.mutant if name not in MUTANTS]
    if unknown:
        parser.error(f"there is no mutant {unknown[0]!r}; --list-mutants names them")
    return Options(
        seconds=given.seconds,
        seed=given.seed,
        clients=given.clients,
        mode=given.mode,
        tasks=given.tasks,
        overlap=given.overlap,
        kills=given.kills,
        json=given.json,
        mutants=tuple(given.mutant),
        all_mutants=given.mutants,
        list_mutants=given.list_mutants,
        every=given.every,
    )
