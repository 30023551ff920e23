"""A dry run of quality rules over a recorded crowd: whom they would have limited, and what that would have been worth.

Gold is drawn from the recording's truth; every other answer is judged by its fellows as the market would, once its task
has all its answers. Each worker's answers go through the pure engine in the order in which they were given.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.running import agreement_weight, running_consensus
from marketplace.aggregation.votes import Votes
from marketplace.batches.quality.forms import Rule, rules_of
from tests.benchmarks.report import table
from tests.benchmarks.trust.figures import binomial_tail
from tests.crowd.recording import Recording, read_recording
from workers.reputation.rules.engine import Fired, Firing, evaluate
from workers.reputation.rules.events import Crowd, Event
from workers.reputation.scoring import PRIOR, Posterior, updated
from workers.reputation.states import Kind

BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)
STEP = timedelta(seconds=20)
STOPS = {"limit"}
# Rightly limited is who is right in fewer answers than that, or no more often than a guess would be.
RIGHTLY_BELOW, CHANCE_P = 0.60, 0.05
# A worker is looked at after so many new outcomes, and the crowd's shares are made anew after so many answers.
EVERY, SHARES_EVERY = 4, 200


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
    """What happened to everybody. `late` are (worker, task) of answers given after their worker was stopped."""

    limited: list[Limited] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)
    late: set[tuple[str, str]] = field(default_factory=set)
    gold_answers: int = 0


@dataclass
class _Worker:
    history: list[Event] = field(default_factory=list)
    past: list[Fired] = field(default_factory=list)
    standing: Posterior = PRIOR
    labels: Counter[str] = field(default_factory=Counter)
    given: int = 0
    looked_at: int = 0
    stopped: bool = False


def digest_of(label: str) -> int:
    """As the market makes it: a signed 64-bit number."""
    return int.from_bytes(blake2b(label.encode(), digest_size=8).digest(), "big", signed=True)


class DryRun:
    """The recorded answers, one by one in the order in which they were given, through the rules.

    A worker who is stopped stays so; what he gave later counts for nothing, as it would not have been given.
    """

    def __init__(self, recording: Recording, given: Sequence[tuple[str, str, str]], rules: Sequence[Rule]) -> None:
        self.recording, self.given, self.rules = recording, given, rules
        self.crowd = Crowd(classes=len(recording.labels))
        self.workers: defaultdict[str, _Worker] = defaultdict(_Worker)
        self.done = Run()
        self._ids = count(1)
        self._answer_ids = {(task, worker): number for number, (task, worker, _) in enumerate(given, start=1)}
        self._waiting = Counter(task for task, _, _ in given)
        self._votes: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def play(self, gold: set[str]) -> Run:
        """All answers; tasks in `gold` have their truth as key."""
        for nth, (task, worker, label) in enumerate(self.given):
            now = BEGIN + nth * STEP
            self._waiting[task] -= 1
            if not nth % SHARES_EVERY:
                self.crowd = Crowd(shares=self._shares(), classes=len(self.recording.labels))
            one = self.workers[worker]
            if one.stopped:
                self.done.late.add((worker, task))
            else:
                one.given += 1
                one.labels[label] += 1
                self._votes[task][worker] = label
                self._note(worker, task, Kind.ANSWER, now, given=label, digest=digest_of(label))
                if task in gold:
                    truth = self.recording.truth[task]
                    self.done.gold_answers += 1
                    self._judge(worker, task, Kind.GOLD, now, float(label == truth), 1.0, truth, label)
                self._evaluate(worker, now, at_once=task in gold)
            if not self._waiting[task] and task not in gold:
                self._agree(task, now)
        return self.done

    def _agree(self, task: str, now: datetime) -> None:
        """All its answers are there: each is judged by the others, as far as these are trusted by now."""
        votes = self._votes[task]
        if len(votes) < 2:
            return
        labels = sorted(self.recording.labels)
        table, words = Votes.of([task] * len(votes), votes.keys(), votes.values(), label_order=labels)
        trust = np.array([[self.workers[worker].standing.mean] * len(labels) for worker in words.workers])
        found = running_consensus(table, trust)
        for at, worker in enumerate(votes):
            truth = int(found.others_labels[at])
            weight = 0.5 * agreement_weight(float(found.others_posteriors[at, truth]), len(labels))
            if weight > 0 and not self.workers[worker].stopped:
                score = float(votes[worker] == labels[truth])
                easiness = float(found.others_agree[at])
                self._judge(
                    worker, task, Kind.AGREEMENT, now, score, weight, labels[truth], votes[worker], easiness=easiness
                )
        for worker in votes:
            self._evaluate(worker, now)

    def _judge(
        self, worker: str, task: str, kind: str, now: datetime, score: float, weight: float, truth: str, given: str,
        **more: Any,
    ) -> None:  # fmt: skip
        one = self.workers[worker]
        one.standing = updated(one.standing, score, weight)
        self._note(worker, task, kind, now, score=score, weight=weight, truth=truth, given=given, **more)

    def _note(self, worker: str, task: str, kind: str, now: datetime, **facts: Any) -> None:
        assignment = self._answer_ids[task, worker]
        self.workers[worker].history.append(
            Event(
                id=next(self._ids),
                made_at=now,
                kind=kind,
                batch_id=1,
                project_id=1,
                assignment_id=assignment,
                answer_type="choice",
                **facts,
            )
        )

    def _shares(self) -> dict[str, float]:
        """Of each label among all answers so far, each worker counted alike."""
        busy = [one.labels for one in self.workers.values() if one.given]
        return {
            label: sum(labels[label] / labels.total() for labels in busy) / len(busy)
            for label in self.recording.labels
            if busy
        }

    def _evaluate(self, worker: str, now: datetime, *, at_once: bool = False) -> None:
        """Look at him where something weighty or enough has come since the last time."""
        one = self.workers[worker]
        if one.stopped or (not at_once and len(one.history) < one.looked_at + EVERY):
            return
        one.looked_at = len(one.history)
        for firing in evaluate(self.rules, one.history, crowd=self.crowd, now=now, past=one.past):
            one.past.append(firing.fired)
            acts = [action.do for action in firing.rule.actions]
            if STOPS & set(acts) and not one.stopped:
                one.stopped = True
                self.done.limited.append(_limited(self.recording, worker, firing, one.given, acts))
            self.done.other.update(act for act in acts if act not in STOPS)


def read_order(path: Path) -> list[tuple[str, str, str]]:
    """(task, worker, label) in the order of the file; of a worker's several answers to a task the last one."""
    found: dict[tuple[str, str], str] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            found.pop((row["external_id"], row["worker"]), None)
            found[row["external_id"], row["worker"]] = row["label"]
    return [(task, worker, label) for (task, worker), label in found.items()]


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
