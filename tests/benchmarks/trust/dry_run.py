"""Recorded answers, one by one, through the pure rules engine: as the market would judge them, with gold among them."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.aggregation.running import agreement_weight, running_consensus
from marketplace.aggregation.votes import Votes
from marketplace.batches.quality.forms import Rule
from tests.benchmarks.trust.figures import binomial_tail
from tests.crowd.recording import Recording
from workers.reputation.rules.engine import Fired, Firing, evaluate
from workers.reputation.rules.events import Crowd, Event
from workers.reputation.rules.repetition import shares_of
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
        """Of each label among all answers so far, as the market makes them."""
        return shares_of(one.labels for one in self.workers.values())

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
    informed, p = against_chance(known)
    accuracy = right / max(1, len(known))
    return Limited(
        worker=worker, rule=firing.rule.name, after=after, in_doubt=firing.in_doubt, evidence=list(firing.evidence),
        actions=acts, accuracy=round(accuracy, 4), answers=len(given), informed=round(informed, 4),
        p_chance=round(p, 4), rightly=accuracy < RIGHTLY_BELOW or p > CHANCE_P,
    )  # fmt: skip


def against_chance(known: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """How much his label says of the truth (mean over true labels of the share right, less what his own frequencies
    would give by chance), and how probable at least so many right ones were for a guesser with the same frequencies."""
    said, true = Counter(label for label, _ in known), Counter(truth for _, truth in known)
    n = len(known)
    expected = sum(said[label] * true[label] for label in said) / n**2 if n else 0.0
    right = sum(label == truth for label, truth in known)
    recalls = [sum(label == truth == one for label, truth in known) / true[one] - said[one] / n for one in true]
    informed = float(np.mean(recalls)) if recalls else 0.0
    return informed, binomial_tail(right, n, expected)
