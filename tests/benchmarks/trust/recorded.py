"""A dry run of quality rules over a recorded crowd: whom they would have limited, and what that would have been worth.

Gold is drawn from the recording's truth; every other answer is judged by its fellows as the market would, once its task
has all its answers. Each worker's answers go through the pure engine in the order in which they were given.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.votes import Votes
from marketplace.batches.quality.forms import rules_of
from tests.benchmarks.report import table
from tests.benchmarks.trust.dry_run import CHANCE_P, RIGHTLY_BELOW, DryRun, Run, against_chance, read_order
from tests.crowd.recording import Recording, read_recording


def accuracy_of(
    recording: Recording,
    without: set[tuple[str, str]],
    known: dict[str, str],
    *,
    more: Sequence[tuple[str, str, str]] = (),
) -> dict[str, Any]:
    """Of majority and Dawid-Skene, over tasks that are no gold, with those answers left out."""
    rows = [(task, worker, label) for task, worker, label in recording.pairs() if (worker, task) not in without]
    rows += more
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


def bought_again(recording: Recording, done: Run, known: dict[str, str], *, seed: int) -> dict[str, Any]:
    """The same with each late answer given by somebody else: SIMULATED by the pooled confusion of all workers who were
    not limited, since nobody recorded what they would have said."""
    stopped = {one.worker for one in done.limited}
    confusion: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for worker, given in recording.answers.items():
        if worker not in stopped:
            for task, label in given.items():
                if task in recording.truth:
                    confusion[recording.truth[task]][label] += 1
    draws = Random(f"bought again {seed}")
    fresh = []
    for number, (_, task) in enumerate(sorted(done.late)):
        likely = confusion[recording.truth.get(task, recording.labels[0])]
        # One after another from a pool of as many as there are good workers, so that each gives about as many.
        fresh.append((task, f"fresh {number % max(1, len(recording.answers) - len(stopped))}",
                      draws.choices(list(likely), list(likely.values()))[0]))  # fmt: skip
    return accuracy_of(recording, done.late, known, more=fresh)


def dry_run(folder: Path, *, preset: str, gold_share: float, seed: int) -> dict[str, Any]:
    """Everything that `./run bench crowd --recorded` tells."""
    recording, given = read_recording(folder), read_order(folder / "answers.csv")
    draws = Random(f"recorded gold {seed}")
    with_truth = [task for task in recording.tasks if task in recording.truth]
    gold = set(draws.sample(with_truth, round(gold_share * len(with_truth))))
    done = DryRun(recording, given, rules_of({"preset": preset})).play(gold)
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
            "and_those_bought_again": bought_again(recording, done, known, seed=seed),
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
        if len(known) >= 20 and (accuracy < RIGHTLY_BELOW or against_chance(known)[1] > CHANCE_P):
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
