"""Constant and repetitive answers, without any known truth: how likely is so much of the same by chance?

Two looks, of which the stronger counts, at twice its price (Bonferroni): the share of the worker's most frequent answer
against the share that the class prior gives it, and his longest run of one answer. The prior is not taken for certain:
a worker's own mix of tasks differs, as by a Dirichlet of `LIKE` answers' worth around it, so that the share has a
beta-binomial tail. Runs: Feller, "An Introduction to Probability Theory", vol. I, XIII.7.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from workers.reputation.rules.events import Event, Measured
from workers.reputation.states import Kind

LIKE = 20.0
# What a class is taken for that hardly anybody names.
SHARE_LEAST = 0.05
ANSWERS_LEAST = 6
# Shares are known once so many others have given so many answers between them, each of them a few.
OTHERS_LEAST, OTHERS_ANSWERS_LEAST, EACH_LEAST = 5, 100, 3
SHARES_MAX = 200


def answer_key(event: Event) -> str | None:
    """What was answered: the label, or else the digest of the values."""
    if event.given is not None:
        return event.given
    return None if event.digest is None else f"#{event.digest}"


def shares_of(crowd: Iterable[Counter[str]]) -> dict[str, float]:
    """The largest share of each answer that the crowd makes likely, from what each of its people answered; nothing
    while too little is known.

    Everybody counts alike, with one answer more that is like all people's. The share is two standard errors of the mean
    above it: the first few may have met other tasks than the rest will. Whoever is left out, enough others remain.
    """
    known = [counts for counts in crowd if counts.total() >= EACH_LEAST]
    sizes = [counts.total() for counts in known]
    if len(known) <= OTHERS_LEAST or sum(sizes) - max(sizes) < OTHERS_ANSWERS_LEAST:
        return {}
    sums: dict[str, float] = defaultdict(float)
    squares: dict[str, float] = defaultdict(float)
    together = sum(known, Counter[str]())
    for counts in known:
        for key, count in counts.items():
            share = (count + together[key] / together.total()) / (counts.total() + 1)
            sums[key] += share
            squares[key] += share**2
    shares = {}
    for key, total in sums.items():
        mean = total / len(known)
        deviation = math.sqrt(max(0.0, squares[key] / len(known) - mean**2))
        shares[key] = min(1.0, mean + 2 * deviation / math.sqrt(len(known)))
    most = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:SHARES_MAX]
    return {key: round(share, 6) for key, share in most}


def repetition(events: Sequence[Event], shares: Mapping[str, float]) -> Measured:
    """The chance that a worker who looks at his tasks repeats himself so much; `n` is how many answers were looked at.

    It is 1 where no shares are known: a batch may have one right answer throughout.
    """
    given = [key for event in events if event.kind == Kind.ANSWER and (key := answer_key(event)) is not None]
    n = len(given)
    if n < ANSWERS_LEAST or not shares:
        return Measured(1.0, 1.0, 1.0, n)
    by_run = min(1.0, sum(_run_tail(run, n, _prior(key, shares)) for key, run in longest_runs(given).items()))
    likely = min(1.0, 2 * min(_most_frequent(given, shares), by_run))
    return Measured(likely, likely, likely, n)


def _most_frequent(given: Sequence[str], shares: Mapping[str, float]) -> float:
    """The tail of the most surprising answer alone, times the number of answers it was picked from."""
    counts = Counter(given)
    tails = [_share_tail(count, len(given), _prior(key, shares)) for key, count in counts.items()]
    picked_from = max(2, len(counts), len(shares))
    return min(1.0, picked_from * min(tails))


def longest_runs(given: Sequence[str]) -> dict[str, int]:
    """The length of the longest unbroken run of each answer."""
    longest: dict[str, int] = {}
    length = 0
    for at, key in enumerate(given):
        length = length + 1 if at and given[at - 1] == key else 1
        longest[key] = max(longest.get(key, 0), length)
    return longest


def _prior(key: str, shares: Mapping[str, float]) -> float:
    return min(max(shares.get(key, 0.0), SHARE_LEAST), 1.0)


def _share_tail(count: int, n: int, share: float) -> float:
    """P(at least `count` of n) under a beta-binomial with that mean share and `LIKE` answers behind it."""
    if share >= 1:
        return 1.0
    a, b = LIKE * share, LIKE * (1 - share)
    front = math.lgamma(n + 1) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - math.lgamma(n + a + b)
    total = 0.0
    for k in range(count, n + 1):
        total += math.exp(
            front + math.lgamma(k + a) + math.lgamma(n - k + b) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        )
    return min(1.0, total)


def _run_tail(run: int, n: int, share: float) -> float:
    """P(a run of at least that length among n), at most: one may begin at the first answer, or after another one.

    The share is taken for what it is at most likely to be for this worker, two deviations above the prior.
    """
    likely = min(1.0, share + 2 * math.sqrt(share * (1 - share) / (LIKE + 1)))
    return min(1.0, likely**run * (1 + (n - run) * (1 - likely)))
