"""What the promises R37, R38 and R40 ask of a crowd's run, and whether it was met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.trust.figures import binomial_tail

# Below this many judged shows or people a figure is too rough to say that a target was met or missed.
AUC_ERROR_MAX, LIST_MIN, PEOPLE_MIN, GOLD_MIN = 0.013, 100, 5, 40
POSITION_P = 0.01
# How probable a list may be by luck that is the best of some sixty: once in a hundred runs there is a luckier one.
LUCK = 0.01 / 60
DELAYS = {"random": 30, "constant": 30, "sleeper": 60}


@dataclass(frozen=True)
class Target:
    """One target; `met` is None where the run was too small to tell."""

    name: str
    promise: str
    asked: str
    measured: Any
    met: bool | None


def targets_of(results: dict[str, Any]) -> Iterator[Target]:
    """All targets, by promise."""
    yield from _looks_like_work(results)
    yield from _collusion(results["collusion"])
    yield from _people(results)
    yield from _worth(results)


def _looks_like_work(results: dict[str, Any]) -> Iterator[Target]:
    told = results["metadata"]
    enough = told["error"] is not None and told["error"] <= AUC_ERROR_MAX
    yield Target(
        "AUC on response metadata, within phases", "R37", "<= 0.53", _short(told["auc"]),
        told["auc"] <= 0.53 if enough else None,
    )  # fmt: skip
    tests = {name: test for name, test in results["positions"].items() if test["p"] is not None}
    judged = {name: test["p"] for name, test in tests.items() if test["gold"] >= GOLD_MIN}
    # Several tests of one promise: the smallest p counts as many times as there are.
    smallest = min(1.0, min(judged.values()) * len(judged)) if judged else None
    yield Target(
        "positions of gold uniform within phases and pages (p, all tests together)", "R37", "> 0.01",
        _short(smallest), None if smallest is None else smallest > POSITION_P,
    )  # fmt: skip


def _collusion(found: dict[str, Any]) -> Iterator[Target]:
    by_rule = sum(n for name, n in found["certain"].items() if ": " not in name)
    by_list = found["certain_identifications"] - by_rule
    yield Target("certain identifications by repetition", "R38", "0", by_rule, by_rule == 0)
    yield Target("certain identifications by order, time, answers, practice", "R38", "0", by_list, by_list == 0)
    for name, best in found["best"].items():
        allowed = best["base"] + 0.02
        # Only what lies above the bar by more than chance is a miss; of so many lists the best is a lucky one.
        missed = binomial_tail(best["gold"], best["flagged"], allowed) < LUCK
        enough = best["flagged"] >= LIST_MIN
        yield Target(
            f"precision of the best list by {name}", "R38",
            f"<= base {best['base']:.3f} + 0.02", _short(best["precision"]),
            False if missed else True if enough else None,
        )  # fmt: skip


def _people(results: dict[str, Any]) -> Iterator[Target]:
    found = results["detection"]
    for kind, most in DELAYS.items():
        row = found["kinds"].get(kind)
        if row is None:
            continue
        middle = row["median_answers"]
        met = None if row["judged"] < PEOPLE_MIN else middle is not None and middle <= most
        asked = f"<= {most} answers" + (" after turning" if kind == "sleeper" else "")
        yield Target(f"median until {kind} is limited", "R40", asked, middle, met)
    yield Target(
        "honest workers wrongly limited", "R40", "<= 1 %", found["honest_limited_share"],
        found["honest_limited_share"] <= 0.01,
    )  # fmt: skip
    yield Target(
        "sanctions without reason, evidence, end or appeal", "R40", "0", found["sanctions_incomplete"],
        found["sanctions_incomplete"] == 0,
    )  # fmt: skip
    yield Target(
        "good workers starved of work", "DESIGN", "0", results["starved"]["share"], results["starved"]["share"] == 0
    )


def _worth(results: dict[str, Any]) -> Iterator[Target]:
    share = results["gold"]["overall"]
    yield Target("gold share overall", "DESIGN", "<= 10 %", share, share <= 0.10)
    one, other = (results["accuracy"][arm]["dawid_skene"] for arm in ("with", "without"))
    yield Target(
        "accuracy at equal cost (Dawid-Skene), with less without", "issue", "> 0", _short(one - other), one > other
    )


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
