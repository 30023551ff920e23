"""Whether a key is more likely wrong than the good workers who fail it."""

from collections.abc import Sequence
from dataclasses import dataclass

from workers.reputation.scoring import PRIOR, Posterior

# Whoever is proven to be this reliable (lower end of the 95 % interval) is trusted against a key.
TRUSTED = 0.6
FAILURES_MIN = 3
CHANCE_MAX = 1e-3
# An answer below this has failed; partial credit above has not.
FAILED_BELOW = 0.5


@dataclass(frozen=True)
class Met:
    """One worker's verdict by the key: its score, and what is known of him, this verdict included."""

    score: float
    known: Posterior


def without(known: Posterior, score: float) -> Posterior:
    """What would be known of a worker without one verdict of weight 1: a wrong key must not speak for itself."""
    return Posterior(max(PRIOR.alpha, known.alpha - score), max(PRIOR.beta, known.beta - (1 - score)))


def tail(probabilities: Sequence[float], count: int) -> float:
    """The probability that at least `count` of independent events happen, each with its own probability."""
    exactly = [1.0]
    for probability in probabilities:
        exactly = [
            (exactly[at] if at < len(exactly) else 0.0) * (1 - probability)
            + (exactly[at - 1] * probability if at else 0.0)
            for at in range(len(exactly) + 1)
        ]
    return min(1.0, sum(exactly[count:]))


def suspicious(verdicts: Sequence[Met]) -> tuple[bool, int, int, float]:
    """Whether trusted workers fail a key too often, how many of them failed and met it, and how likely that were.

    Each is expected to fail as often as he fails elsewhere.
    """
    trusted = []
    for verdict in verdicts:
        known = without(verdict.known, verdict.score)
        if known.interval()[0] >= TRUSTED:
            trusted.append((verdict.score < FAILED_BELOW, 1 - known.mean))
    failed = sum(wrong for wrong, _ in trusted)
    chance = tail([fails for _, fails in trusted], failed)
    return failed >= FAILURES_MIN and chance < CHANCE_MAX, failed, len(trusted), chance
