"""A crowd of numbers, for tests of quality rules: no database, only what would have been recorded of each worker.

Workers are 70 % honest (right in 0.65 to 0.95), 10 % guessers, 10 % with one answer to everything, 10 % sleepers who
turn to guessing after 200 answers (R40). Six of the first twenty answers are gold and a tenth after that; every
other answer is compared with the consensus of co-workers once they have answered too, and weighs half its confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from marketplace.batches.quality import rules_of
from workers.reputation.rules.engine import evaluate
from workers.reputation.rules.events import Crowd, Event
from workers.reputation.rules.steps import STEP, step_of, steps_in
from workers.reputation.states import Kind

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
TURN = 200
HONEST_AMONG_OTHERS = 0.75  # sleepers are honest most of the time
JUDGED_OF_OTHERS = 20


@dataclass(frozen=True)
class Setting:
    """The work: how many labels, how often each, how many workers a task, and whether who guesses also hurries."""

    classes: int = 4
    overlap: int = 5
    prior: tuple[float, ...] | None = None
    hurry: float = 1.0
    answers: int = 300
    late: int = 8  # the consensus comes after up to so many further answers


def accuracy_of(kind: str, rng: np.random.Generator, classes: int) -> float:
    return 1 / classes if kind in ("random", "constant") else float(rng.uniform(0.65, 0.95))


def history(kind: str, setting: Setting, rng: np.random.Generator) -> tuple[list[list[Event]], float]:
    """What is recorded after each answer of one worker, and how often he is right while he works well."""
    k = setting.classes
    prior = np.array(setting.prior or [1 / k] * k)
    accuracy = accuracy_of(kind, rng, k)
    favourite = int(rng.integers(k))
    speed = rng.lognormal(0, 0.3)
    gold = _gold(setting.answers, rng)
    due: dict[int, list[Event]] = {}
    steps: list[list[Event]] = []
    number = 0
    for at in range(setting.answers):
        truth = int(rng.choice(k, p=prior))
        asleep = kind == "sleeper" and at >= TURN
        if kind == "constant":
            given = favourite
        elif kind == "random" or asleep:
            given = int(rng.integers(k))
        else:
            given = _answer(truth, accuracy, k, rng)
        hurried = kind in ("random", "constant") or asleep
        took = 8_000 * speed * rng.lognormal(0, 0.5) * (setting.hurry if hurried else 1.0)
        when = NOON + timedelta(seconds=20 * at)
        common = {"made_at": when, "batch_id": 1, "project_id": 1, "assignment_id": at + 1}
        number += 1
        step = [
            Event(
                id=number, kind=Kind.ANSWER, given=str(given), answer_type="choice", took_ms=int(took),
                digest=given, **common,
            )
        ]  # fmt: skip
        if at in gold:
            number += 1
            step.append(
                Event(
                    id=number, kind=Kind.GOLD, score=float(given == truth), truth=str(truth), given=str(given), **common
                )
            )
        else:
            label, confidence = _consensus(truth, setting, rng)
            weight = 0.5 * (k * confidence - 1) / (k - 1)
            found = Event(
                id=0, kind=Kind.AGREEMENT, score=float(given == label), weight=weight, truth=str(label),
                given=str(given), **common,
            )  # fmt: skip
            due.setdefault(at + int(rng.integers(1, setting.late + 1)), []).append(found)
        for late in due.pop(at, []):
            number += 1
            step.append(Event(**{**late.__dict__, "id": number, "made_at": when}))
        steps.append(step)
    return steps, accuracy


def crowd_of(setting: Setting) -> Crowd:
    """What would be known of the batch around the worker: the limit is the 5 % quantile of honest times."""
    rng = np.random.default_rng(5)
    times = 8_000 * rng.lognormal(0, 0.3, 20_000) * rng.lognormal(0, 0.5, 20_000)
    k = setting.classes
    prior = setting.prior or [1 / k] * k
    return Crowd(
        fast_below_ms={"choice": float(np.quantile(times, 0.05))},
        shares={str(label): share for label, share in enumerate(prior)},
        classes=k,
    )


def limited_after(preset: str, steps: Sequence[Sequence[Event]], crowd: Crowd) -> tuple[int, str] | None:
    """After how many answers the worker is limited first, and by which rule; None if never.

    He is looked at whenever a step of answers is full: in between, these rules see nothing new.
    """
    rules = [rule for rule in rules_of({"preset": preset}) if any(a.do == "limit" for a in rule.actions)]
    assert {step_of(rule) for rule in rules} == {STEP}
    seen: list[Event] = []
    for at, step in enumerate(steps):
        seen.extend(step)
        if (at + 1) % STEP == 0:
            fired = evaluate(rules, seen[-500:], crowd=crowd, now=seen[-1].made_at, ends=steps_in(seen))
            if fired:
                return at + 1, fired[0].rule.name
    return None


def _gold(answers: int, rng: np.random.Generator) -> set[int]:
    places = {int(p) for p in rng.choice(20, 6, replace=False)}
    for start in range(20, answers, 40):
        places |= {start + int(p) for p in rng.choice(40, 4, replace=False)}
    return places


def _answer(truth: int, accuracy: float, k: int, rng: np.random.Generator) -> int:
    return truth if rng.random() < accuracy else (truth + int(rng.integers(1, k))) % k


def _consensus(truth: int, setting: Setting, rng: np.random.Generator) -> tuple[int, float]:
    """What the others make of a task, and how sure they are: each counts by his standing, which is what twenty judged
    answers tell of him."""
    k = setting.classes
    log_posterior = np.zeros(k)
    for _ in range(setting.overlap - 1):
        accuracy = rng.uniform(0.65, 0.95) if rng.random() < HONEST_AMONG_OTHERS else 1 / k
        judged = rng.binomial(JUDGED_OF_OTHERS, accuracy)
        believed = (2 + judged) / (3 + JUDGED_OF_OTHERS)
        vote = _answer(truth, accuracy, k, rng)
        log_posterior += np.log((1 - believed) / (k - 1))
        log_posterior[vote] += np.log(believed) - np.log((1 - believed) / (k - 1))
    posterior = np.exp(log_posterior - log_posterior.max())
    posterior /= posterior.sum()
    label = int(rng.choice(np.flatnonzero(posterior == posterior.max())))
    return label, float(posterior[label])
