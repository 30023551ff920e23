"""Whom the market trusts: a simulated crowd on the product's own commands, or a recorded one through its rules.

    ./run bench crowd [--seed 1] [--workers 60] [--tasks 3000] [--preset balanced] [--json]
    ./run bench crowd --recorded product-matching [--gold-share 0.05] [--preset balanced] [--json]

The simulated crowd has the shares of promise R40 and a few of every other kind on top. It works in virtual time, once
with hidden gold and quality rules, once without them at equal cost (the same number of paid answers). Measured are how
soon bad workers are limited, who is limited wrongly, what gold costs, and what the crowd could find out about it if
everybody shared everything (R37, R38, R40). Exit 1 when a target is missed.

The recorded crowd is read from the folder that TOUCHSTONE_CROWDS names; gold is drawn from its truth, and its answers
go through the rules in the order in which they were given.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.report import give, progress, table


def simulated(asked: argparse.Namespace) -> dict[str, Any]:
    """Play both arms and measure."""
    from tests.benchmarks.trust import arms, detection
    from tests.benchmarks.trust.collusion import attack
    from tests.benchmarks.trust.metadata import told_apart, told_by_time
    from tests.benchmarks.trust.positions import position_tests
    from tests.benchmarks.trust.targets import targets_of
    from tests.crowd.acting import Clock

    plan = arms.Plan(
        seed=asked.seed,
        workers=asked.workers,
        tasks=asked.tasks,
        overlap=asked.overlap,
        turns_after=asked.turns_after,
        preset=asked.preset,
    )
    clock, people, began = Clock(), plan.people(), time.monotonic()
    progress(f"{len(people)} people, {plan.tasks:,} tasks, {plan.overlap} answers each: with the quality control …")
    one = arms.with_control(plan, clock, lambda n: progress(f"  {n:>7,} answers"))
    paid = len(one.story.answers)
    sanctions = detection.sanctions_of(one, clock)
    progress(f"{paid:,} answers in {one.story.seconds:.0f} s; the same number without quality control …")
    other = arms.without_control(plan, clock, paid, lambda n: progress(f"  {n:>7,} answers"))
    progress("What the crowd could find out …")
    good = [index for index, person in enumerate(people) if person.honest]
    found = attack(one.story.shows, one.story.answers, overlap=plan.overlap, seed=plan.seed)
    ordinary = [question for question in plan.questions() if not question.gold]
    results: dict[str, Any] = {
        "options": {name: value for name, value in vars(asked).items() if name != "json"},
        "people": len(people),
        "answers": paid,
        "answers_without": len(other.story.answers),
        "detection": detection.detection(people, one.story, sanctions),
        "starved": detection.starved(people, one.story, sanctions),
        "gold": arms.gold_shares(one),
        "collusion": {"certain_identifications": found.certain_identifications, **found.shape()},
        "metadata": asdict(told_apart(one.story.shows, seed=plan.seed)),
        "claim_time": asdict(told_by_time(one.story.shows, seed=plan.seed)),
        "positions": {name: asdict(test) for name, test in position_tests(one.story.shows, good).items()},
        "accuracy": {
            "with": arms.accuracies(one.story.answers, ordinary),
            "without": arms.accuracies(other.story.answers, ordinary),
        },
        "virtual_hours": round(one.story.seconds_on_the_clock / 3600, 2),
        "sweeps_s": {name: round(taken, 1) for name, taken in one.swept_s.items()},
    }
    results["seconds"] = round(time.monotonic() - began, 1)
    results["targets"] = [asdict(target) for target in targets_of(results)]
    return results


def described(results: dict[str, Any]) -> str:
    """Tables for people."""
    kinds = results["detection"]["kinds"]
    parts = [
        table(
            ["kind", "people", "limited", "median answers until then", "answers each"],
            [
                [kind, row["people"], f"{row['limited']} of {row['judged']}", row["median_answers"], row["answers"]]
                for kind, row in kinds.items()
            ],
        ),
        table(
            ["answers paid", "single answers right", "majority", "Dawid-Skene"],
            [
                [f"{results['answers']:,} {arm} the quality control", *results["accuracy"][arm].values()]
                for arm in ("with", "without")
            ],
        ),
        table(
            ["target", "promise", "asked", "measured", "met"],
            [
                [row["name"], row["promise"], row["asked"], row["measured"], _told(row["met"])]
                for row in results["targets"]
            ],
        ),
        f"gold: {results['gold']}\nsweeps, seconds: {results['sweeps_s']}"
        f"\n{results['seconds']} s for {results['virtual_hours']} hours of the crowd",
    ]
    return "\n\n".join(parts)


def _told(met: bool | None) -> str:
    return "too little to tell" if met is None else "yes" if met else "NO"


def main(argv: list[str]) -> int:
    """Run the command; its exit code: 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="./run bench crowd", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=60)
    parser.add_argument("--tasks", type=int, default=3_000)
    parser.add_argument("--overlap", type=int, default=5)
    parser.add_argument("--turns-after", type=int, default=200, help="good answers of a sleeper before he turns (200)")
    parser.add_argument("--preset", default="balanced", help="of the quality rules: fast, balanced, careful")
    parser.add_argument("--recorded", metavar="NAME", help="a recorded crowd of TOUCHSTONE_CROWDS instead")
    parser.add_argument("--gold-share", type=float, default=0.05, help="of the recorded tasks")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    import django

    django.setup()
    if asked.recorded:
        return recorded(asked)
    results = simulated(asked)
    give(results, described(results), as_json=asked.json)
    return int(any(target["met"] is False for target in results["targets"]))


def recorded(asked: argparse.Namespace) -> int:
    """The dry run on a recorded crowd."""
    crowds = os.environ.get("TOUCHSTONE_CROWDS")
    if not crowds:
        progress("Skipped: TOUCHSTONE_CROWDS names no folder of recorded crowds.")
        return 0
    from tests.benchmarks.trust import recorded as dry
    from tests.crowd.recording import BadRecording

    try:
        results = dry.dry_run(
            Path(crowds) / asked.recorded, preset=asked.preset, gold_share=asked.gold_share, seed=asked.seed
        )
    except BadRecording as why:
        print(why, file=sys.stderr)
        return 2
    give(results, dry.described(results), as_json=asked.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
