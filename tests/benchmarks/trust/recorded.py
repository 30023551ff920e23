"""A dry run of quality rules over a recorded crowd: whom they would have limited, and what that would have been worth.

Gold is drawn from the recording's truth; every other answer is judged by its fellows as the market would, once its task
has all its answers. Each worker's answers go through the pure engine in the order in which they were given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Any

import numpy as np
from marketplace.batches.quality.forms import Rule, rules_of
from workers.reputation.rules.engine import Fired, Firing, evaluate
from workers.reputation.rules.events import Crowd, Event, Kind

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.votes import Votes
from tests.benchmarks.report import table
from tests.benchmarks.trust.figures import binomial_tail
from tests.crowd.recording import Recording

BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)
STEP = timedelta(seconds=20)
STOPS = {"limit"}
# Rightly limited is who is right in fewer answers than that, or no more often than a guess would be.
RIGHTLY_BELOW, CHANCE_P = 0.60, 0.05
EVERY = 4


@dataclass
class Limited:
    """One worker whom the rules would have stopped, with the first rule that did."""

    worker: str
    rule: str
    after: int
    in_doubt: bool
    evidence: list[dict[str, Any]]
    actions: list[str]
    accuracy: float = 0.0
    answers: int = 0
    informed: float = 0.0
    p_chance: float = 1.0
    rightly: bool = False


@dataclass
class Run:
    """What happened to everybody."""

    limited: list[Limited] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)
    late: set[tuple[str, str]] = field(default_factory=set)
    gold_answers: int = 0


def digest_of(label: str) -> int:
    """As the market makes it: a signed 64-bit number."""
    return int.from_bytes(blake2b(label.encode(), digest_size=8).digest(), "big", signed=True)


def agreements(recording: Recording, gold: set[str]) -> dict[tuple[str, str], tuple[float, float, str]]:
    """(worker, task) → score, weight and label by his fellows: what the others' majority says, as sure as it is.

    Weight is half of how far its confidence lies above chance, as for running answers; ties say nothing.
    """
    workers_of = recording.workers_of()
    n_labels = len(recording.labels)
    found = {}
    for task, workers in workers_of.items():
        if task in gold:
            continue
        for worker in workers:
            others = Counter(recording.answers[other][task] for other in workers if other != worker)
            if not others:
                continue
            (label, votes), *rest = others.most_common()
            if rest and rest[0][1] == votes:
                continue
            # A voter is taken to be right in three of four cases, errors evenly: the odds of a lead.
            odds = (0.75 / (0.25 / max(1, n_labels - 1))) ** (votes - sum(n for _, n in rest))
            confidence = odds / (odds + n_labels - 1)
            weight = 0.5 * (n_labels * confidence - 1) / (n_labels - 1)
            found[worker, task] = (float(recording.answers[worker][task] == label), weight, label)
    return found


def play(recording: Recording, rules: Sequence[Rule], gold: set[str]) -> Run:
    """Each worker's answers through the rules, until one stops him; what he answered later is `late`."""
    fellows = agreements(recording, gold)
    totals = Counter(label for given in recording.answers.values() for label in given.values())
    shares_of = {label: count / totals.total() for label, count in totals.items()}
    crowd = Crowd(shares=shares_of, classes=len(recording.labels))
    done = Run()
    for worker, given in recording.answers.items():
        _one(done, recording, worker, given, rules, gold, fellows, crowd)
    return done


def _one(
    done: Run,
    recording: Recording,
    worker: str,
    given: dict[str, str],
    rules: Sequence[Rule],
    gold: set[str],
    fellows: dict[tuple[str, str], tuple[float, float, str]],
    crowd: Crowd,
) -> None:
    history: list[Event] = []
    past: list[Fired] = []
    for nth, (task, label) in enumerate(given.items()):
        now = BEGIN + nth * STEP
        ids = iter(range(3 * nth + 1, 3 * nth + 4))

        def event(kind: str, at: datetime, number: int, which: int, **more: Any) -> Event:
            return Event(
                id=number, made_at=at, kind=kind, batch_id=1, project_id=1, assignment_id=which + 1,
                answer_type="choice", **more,
            )  # fmt: skip

        history.append(event(Kind.ANSWER, now, next(ids), nth, given=label, digest=digest_of(label)))
        if task in gold:
            truth = recording.truth[task]
            done.gold_answers += 1
            history.append(event(Kind.GOLD, now, next(ids), nth, score=float(label == truth), truth=truth, given=label))
        elif (worker, task) in fellows:
            score, weight, others = fellows[worker, task]
            history.append(
                event(Kind.AGREEMENT, now, next(ids), nth, score=score, weight=weight, truth=others, given=label)
            )
        if (nth + 1) % EVERY and nth + 1 < len(given):
            continue
        for firing in evaluate(rules, history, crowd=crowd, now=now, past=past):
            past.append(Fired(firing.rule.key, firing.upto, firing.ends_at))
            acts = [action.do for action in firing.rule.actions]
            if STOPS & set(acts):
                done.limited.append(_limited(recording, worker, firing, nth + 1, acts))
                done.late |= {(worker, later) for later in list(given)[nth + 1 :]}
                return
            done.other.update(acts)


def _limited(recording: Recording, worker: str, firing: Firing, after: int, acts: list[str]) -> Limited:
    """Judged by the truth: by all that he answered, before and after."""
    given = recording.answers[worker]
    known = [(label, recording.truth[task]) for task, label in given.items() if task in recording.truth]
    right = sum(label == truth for label, truth in known)
    informed, p = _against_chance(known)
    accuracy = right / max(1, len(known))
    return Limited(
        worker=worker, rule=firing.rule.name, after=after, in_doubt=firing.in_doubt, evidence=list(firing.evidence),
        actions=acts, accuracy=round(accuracy, 4), answers=len(given), informed=round(informed, 4),
        p_chance=round(p, 4), rightly=accuracy < RIGHTLY_BELOW or p > CHANCE_P,
    )  # fmt: skip


def _against_chance(known: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """How much his label says of the truth (mean over true labels of the share right, less what his own frequencies
    would give by chance), and how probable at least so many right ones were for a guesser with the same frequencies."""
    said, true = Counter(label for label, _ in known), Counter(truth for _, truth in known)
    n = len(known)
    expected = sum(said[label] * true[label] for label in said) / n**2 if n else 0.0
    right = sum(label == truth for label, truth in known)
    recalls = [sum(label == truth == one for label, truth in known) / true[one] - said[one] / n for one in true]
    informed = float(np.mean(recalls)) if recalls else 0.0
    return informed, binomial_tail(right, n, expected)


def accuracy_of(recording: Recording, without: set[tuple[str, str]], known: dict[str, str]) -> dict[str, Any]:
    """Of majority and Dawid-Skene, over tasks that are no gold, with those answers left out."""
    rows = [(task, worker, label) for task, worker, label in recording.pairs() if (worker, task) not in without]
    tasks = [task for task in recording.tasks if task in recording.truth]
    votes, words = Votes.of(
        *zip(*rows, strict=True), task_order=list(recording.tasks), label_order=sorted(recording.labels)
    )
    measured: dict[str, Any] = {"answers": len(rows)}
    counted = Counter(task for task, _, _ in rows)
    judged = [task for task in tasks if task not in known]
    for name, result in (("majority", majority(votes)), ("dawid_skene", dawid_skene(votes))):
        labels = {task: words.labels[label] for task, label in zip(words.tasks, result.labels, strict=True)}
        right = sum(labels[task] == recording.truth[task] for task in judged if counted[task])
        measured[name] = round(right / len(judged), 4)
    measured["tasks_without_answer"] = sum(not counted[task] for task in judged)
    return measured


def dry_run(recording: Recording, *, preset: str, gold_share: float, seed: int) -> dict[str, Any]:
    """Everything that `./run bench crowd --recorded` tells."""
    draws = Random(f"recorded gold {seed}")
    with_truth = [task for task in recording.tasks if task in recording.truth]
    gold = set(draws.sample(with_truth, round(gold_share * len(with_truth))))
    done = play(recording, rules_of({"preset": preset}), gold)
    known = {task: recording.truth[task] for task in gold}
    ordinary_late = {(worker, task) for worker, task in done.late if task not in gold}
    wrongly = [one for one in done.limited if not one.rightly]
    doubtful = [one for one in done.limited if one.in_doubt]
    bad = _bad_workers(recording)
    return {
        "options": {"recorded_tasks": len(recording.tasks), "preset": preset, "gold_share": gold_share, "seed": seed},
        "workers": len(recording.answers),
        "answers": recording.n_answers,
        "accuracy": {
            "all_answers": accuracy_of(recording, set(), known),
            "without_late_answers_of_limited": accuracy_of(recording, done.late, known),
            "without_all_answers_of_limited": accuracy_of(
                recording, {(one.worker, task) for one in done.limited for task in recording.answers[one.worker]}, known
            ),
        },
        "cost": {
            "gold_tasks": len(gold),
            "gold_answers": done.gold_answers,
            "gold_share_of_answers": round(done.gold_answers / recording.n_answers, 4),
            "answers_bought_again": len(ordinary_late),
            "share_bought_again": round(len(ordinary_late) / recording.n_answers, 4),
        },
        "limited": {
            "workers": len(done.limited),
            "rightly": len(done.limited) - len(wrongly),
            "wrongly": len(wrongly),
            "in_doubt": len(doubtful),
            "wrongly_in_doubt": sum(one.in_doubt for one in wrongly),
            "of_bad_workers": f"{sum(one.worker in bad for one in done.limited)} of {len(bad)}",
            "by_rule": dict(Counter(one.rule for one in done.limited)),
            "median_answers": float(np.median([one.after for one in done.limited])) if done.limited else None,
        },
        "other_actions": dict(done.other),
        "who": [vars(one) for one in sorted(done.limited, key=lambda one: -one.answers)],
    }


def _bad_workers(recording: Recording) -> set[str]:
    """Whom the truth shows to be worth limiting, among those with at least 20 answers."""
    found = set()
    for worker, given in recording.answers.items():
        known = [(label, recording.truth[task]) for task, label in given.items() if task in recording.truth]
        accuracy = sum(label == truth for label, truth in known) / max(1, len(known))
        if len(known) >= 20 and (accuracy < RIGHTLY_BELOW or _against_chance(known)[1] > CHANCE_P):
            found.add(worker)
    return found


def described(results: dict[str, Any]) -> str:
    """Tables for people."""
    limited, cost = results["limited"], results["cost"]
    return "\n\n".join(
        [
            table(
                ["answers used", "answers", "majority", "Dawid-Skene"],
                [
                    [name.replace("_", " "), row["answers"], row["majority"], row["dawid_skene"]]
                    for name, row in results["accuracy"].items()
                ],
            ),
            f"would have limited {limited['workers']} of {results['workers']} workers, {limited['in_doubt']} of them"
            f" within doubt; by the truth {limited['rightly']} rightly and {limited['wrongly']} wrongly"
            f" ({limited['of_bad_workers']} workers worth limiting)",
            f"cost: {cost['gold_answers']:,} answers to {cost['gold_tasks']:,} gold tasks"
            f" ({cost['gold_share_of_answers']:.1%}), {cost['answers_bought_again']:,} answers bought again"
            f" ({cost['share_bought_again']:.1%})",
            table(
                ["worker", "rule", "after", "answers", "right", "above chance", "p", "rightly", "in doubt"],
                [
                    [one["worker"], one["rule"], one["after"], one["answers"], one["accuracy"], one["informed"],
                     one["p_chance"], one["rightly"], one["in_doubt"]]
                    for one in results["who"]
                ],
            ),
        ]
    )  # fmt: skip
