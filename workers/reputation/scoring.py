"""How reliable a worker is, as far as his judged answers tell: a Beta posterior over the share he gets right."""

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

_TINY = 1e-300
_EPSILON = 1e-16
_STANDARD_NORMAL = NormalDist()


@dataclass(frozen=True)
class Posterior:
    """Beta(alpha, beta): what is believed of the probability that the worker's next answer is right.

    Figures are exact to 1e-9 while both parameters lie between 0.01 and 100,000.
    """

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        if not (0 < self.alpha < math.inf and 0 < self.beta < math.inf):
            raise ValueError(f"alpha and beta must be positive and finite: {self.alpha}, {self.beta}")

    @property
    def mean(self) -> float:
        """The expected probability of a right answer: the worker's score."""
        return self.alpha / (self.alpha + self.beta)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The credible interval (low, high): with probability `level` between them, the rest in equal parts beyond."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1: {level}")
        return _interval(self.alpha, self.beta, level)

    def probability_below(self, threshold: float) -> float:
        """How probable it is that the worker is less reliable than that."""
        return _beta_cdf(self.alpha, self.beta, threshold)


# A stranger is taken as if one answer of his had been seen, and it was right, on top of complete ignorance, Beta(1, 1).
# He is expected to be right twice out of three times, which lets him begin where 0.6 is asked for; he is below 0.5 with
# a probability of one in four; and three judged answers already outweigh all that was assumed.
PRIOR = Posterior(2.0, 1.0)


def updated(posterior: Posterior, score: float, weight: float = 1.0) -> Posterior:
    """The posterior after one more judged answer that scored 0 (wrong) … 1 (right).

    A score between counts in parts for both sides. `weight` is how much the answer counts, 1 for an ordinary one.
    Updates may come in any order.
    """
    if not 0 <= score <= 1:
        raise ValueError(f"score must lie between 0 and 1: {score}")
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight must not be negative: {weight}")
    return Posterior(posterior.alpha + weight * score, posterior.beta + weight * (1 - score))


# Evidence of a quarter ago counts half: people learn, tire and hand accounts on. Days are whole, so that within one the
# sums are those of a count, and what is known is asked for without a change by the second.
HALF_LIFE_DAYS = 90.0
# A task that so many get right is an ordinary one: whoever fails there bears the whole mistake.
EASY = 0.8
# What one requester can say of a worker, beyond his own projects, never weighs more than so many judged answers.
REQUESTER_MAX = 30.0


@dataclass(frozen=True)
class Gain:
    """What one judgement adds to alpha and to beta on its day."""

    good: float
    bad: float


@dataclass(frozen=True)
class Tally:
    """Sums of gains as of `day` on top of `floor`, and how many judgements stand behind them.

    floor  alpha and beta where nothing is known: those of the prior, or (0, 0) for a part of something larger
    """

    alpha: float
    beta: float
    evidence: int = 0
    day: int = 0
    floor: tuple[float, float] = (0.0, 0.0)


def gain(score: float, weight: float = 1.0, easiness: float | None = None) -> Gain:
    """What a judgement adds: `score` 0 (wrong) … 1 (right), `weight` how much it counts, 1 for a known answer.

    `easiness` is how often others get the task right, None where that is not known. A right answer counts fully. A
    mistake counts in proportion to it, up to `EASY`: where only every second is right, a mistake says of this worker
    little more than that the task is hard, and a few hard tasks must not cost an honest worker his standing. A model
    of items and people together (Rasch 1960; GLAD, Whitehill et al. 2009) would say more, but its fit moves what old
    judgements mean with every new answer, so that nothing could be rebuilt. Since right answers to hard tasks are not
    discounted, the mean errs towards the worker.
    """
    if not 0 <= score <= 1:
        raise ValueError(f"score must lie between 0 and 1: {score}")
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight must not be negative: {weight}")
    if easiness is not None and not 0 <= easiness <= 1:
        raise ValueError(f"easiness must lie between 0 and 1: {easiness}")
    blame = 1.0 if easiness is None else min(1.0, easiness / EASY)
    return Gain(weight * score, weight * (1 - score) * blame)


def fading(days: int) -> float:
    """The share of evidence that is left after so many days."""
    return float(2.0 ** -(days / HALF_LIFE_DAYS))


def aged(tally: Tally, day: int) -> Tally:
    """The tally as of a later day: what exceeds the floor fades, so that it drifts back to what is known of a stranger.

    Exponential forgetting, as in the beta reputation system of Jøsang and Ismail (2002), section 3.3. An earlier day
    changes nothing.
    """
    if day <= tally.day:
        return tally
    left = fading(day - tally.day)
    alpha, beta = tally.floor
    return replace(tally, alpha=alpha + (tally.alpha - alpha) * left, beta=beta + (tally.beta - beta) * left, day=day)


def folded(tally: Tally, more: Gain, day: int, evidence: int = 1) -> Tally:
    """The tally with one more judgement of that day. One that comes late counts as what is left of it by now."""
    tally = aged(tally, day)
    left = fading(tally.day - day) if tally.day > day else 1.0
    return replace(
        tally,
        alpha=tally.alpha + more.good * left,
        beta=tally.beta + more.bad * left,
        evidence=tally.evidence + evidence,
    )


def taken_back(tally: Tally, less: Gain, day_of_it: int, day: int, evidence: int = 1) -> Tally:
    """The tally on `day` without a judgement of an earlier one: exactly what that still contributes is subtracted.

    Since everything fades alike, the result is the tally as if that judgement had never been; but for rounding, which
    must not bring it below the floor.
    """
    tally = aged(tally, day)
    left = fading(tally.day - day_of_it)
    return replace(
        tally,
        alpha=max(tally.floor[0], tally.alpha - less.good * left),
        beta=max(tally.floor[1], tally.beta - less.bad * left),
        evidence=tally.evidence - evidence,
    )


def combined(parts: Iterable[tuple[float, float]]) -> Posterior:
    """The posterior from each requester's part (alpha, beta), without prior: none counts for more than `REQUESTER_MAX`.

    A larger part is scaled down as a whole, so that its share of right answers stays. Whoever owns a project, or a
    hundred, thus moves what all others read of a worker by a bounded amount. The sum is exact, so that the order of the
    parts does not matter.
    """
    goods, bads = [PRIOR.alpha], [PRIOR.beta]
    for good, bad in parts:
        share = min(1.0, REQUESTER_MAX / (good + bad)) if good + bad > 0 else 1.0
        goods.append(good * share)
        bads.append(bad * share)
    return Posterior(math.fsum(goods), math.fsum(bads))


# Every claim asks for the interval, and it changes only with a judged answer.
@lru_cache(maxsize=65_536)
def _interval(alpha: float, beta: float, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    # The upper end is a lower end seen from the other side, which keeps its digits where it is close to 1.
    return _beta_quantile(alpha, beta, tail), 1 - _beta_quantile(beta, alpha, tail)


def _beta_cdf(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function: the probability that Beta(a, b) is below x."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b))
    # The fraction converges fast below the mean only; above it the mirrored one does.
    if x < (a + 1) / (a + b + 2):
        return min(1.0, front * _continued_fraction(a, b, x) / a)
    return max(0.0, 1 - front * _continued_fraction(b, a, 1 - x) / b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Lentz's evaluation of the fraction in DLMF 8.17.22, two steps a round."""
    c, d = 1.0, _away_from_zero(1 - (a + b) * x / (a + 1))
    d = 1 / d
    value = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away_from_zero(1 + even * d)
        c = _away_from_zero(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _away_from_zero(1 + odd * d)
        c = _away_from_zero(1 + odd / c)
        step = d * c
        value *= step
        if abs(step - 1) <= 4 * _EPSILON:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _beta_quantile(a: float, b: float, probability: float) -> float:
    """The x below which Beta(a, b) lies with that probability: Halley's steps, held in a bracket by bisection."""
    low, high = 0.0, 1.0
    log_beta = _log_beta(a, b)
    deviation = math.sqrt(a * b / (a + b + 1)) / (a + b)
    # Near enough to begin with: the logit of a Beta variable is close to normal.
    logit = math.log(a / b) + _STANDARD_NORMAL.inv_cdf(probability) * math.sqrt(1 / a + 1 / b)
    x = 1 / (1 + math.exp(-max(-700.0, min(700.0, logit))))
    for _ in range(200):
        if not low < x < high:
            x = (low + high) / 2
        excess = _beta_cdf(a, b, x) - probability
        if excess == 0:
            return x
        low, high = (low, x) if excess > 0 else (x, high)
        log_density = (a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - log_beta
        newton = excess * math.exp(min(-log_density, 600.0))
        bend = newton * ((a - 1) / x - (b - 1) / (1 - x))
        step = newton / (1 - 0.5 * max(-1.0, min(1.0, bend)))
        # A step's error is about the cube of the step, so that after one this short nothing is left to gain.
        close = abs(step) <= 1e-5 * min(deviation, x, 1 - x)
        x -= step
        if close or high - low <= sys.float_info.epsilon:
            break
    return min(max(x, low), high)
