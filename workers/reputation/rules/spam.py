"""Spammers: whose answers tell nothing of the truth.

`spammer_score` is that of Raykar and Yu, "Eliminating spammers and ranking annotators for crowdsourced labeling tasks",
JMLR 13 (2012), section 3: the mean squared distance between the rows of a worker's confusion matrix, 0 for one whose
answers do not depend on the truth (guesser and constant answerer alike) and 1 for one who is always right, or always
wrong in the same way.

`guessing` is quicker where labels are about as frequent: a test that may be looked at after every answer. It weighs
"guesses" against "is right in 65 to 95 of 100" by the ratio of their likelihoods; by Ville's inequality at most a share
p of the honest ever get a value below p (Shafer et al., "Test martingales, Bayes factors and p-values", 2011).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workers.reputation.rules.events import Measured, Scored

DRAWS = 400
LABELS_MAX = 20
HONEST = np.linspace(0.65, 0.95, 13)
CHANCE_OF_FREE_ANSWERS = 0.05
_TINY = 1e-9


def spammer_scores(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score of each confusion matrix.

    confusion  (…, n_true, n_given)  axes true, given; each row sums to 1
    returns    (…)                   from 0 to 1; 0 for a single true label
    """
    labels = confusion.shape[-2]
    if labels < 2:
        return np.zeros(confusion.shape[:-2])
    # Σ over pairs of rows |a − b|² = n Σ |a|² − |Σ a|².
    squares = labels * (confusion**2).sum(axis=(-1, -2)) - (confusion.sum(axis=-2) ** 2).sum(axis=-1)
    return np.clip(squares / (labels * (labels - 1)), 0.0, 1.0)


def spammer_score(counts: NDArray[np.float64], rng: np.random.Generator) -> Measured:
    """The posterior mean and 95 % interval of the score, given weighted counts and a uniform prior for every row.

    counts  (n_true, n_given)  how often a true label was answered by which
    """
    n = round(float(counts.sum()))
    if counts.shape[0] < 2:
        return Measured(None, 0.0, 1.0, n)
    gammas = rng.gamma(np.broadcast_to(counts + 1.0, (DRAWS, *counts.shape)))
    draws = spammer_scores(gammas / gammas.sum(axis=-1, keepdims=True))
    if n == 0:
        return Measured(None, 0.0, 1.0, 0)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Measured(float(min(max(draws.mean(), low), high)), float(low), float(high), n)


def confusion_of(judged: Sequence[Scored]) -> NDArray[np.float64]:
    """Weighted counts by true and given label, (n, n + 1): a row for each of the true labels met most, and after their
    columns one for all other answers."""
    met: Counter[str] = Counter()
    for one in judged:
        if one.truth is not None and one.given is not None:
            met[one.truth] += 1
    place = {label: at for at, (label, _) in enumerate(met.most_common(LABELS_MAX))}
    counts = np.zeros((len(place), len(place) + 1))
    for one in judged:
        if one.truth in place and one.given is not None:
            counts[place[one.truth], place.get(one.given, len(place))] += one.weight
    return counts


def guessing(judged: Sequence[Scored], classes: int) -> Measured:
    """How likely, at most, an honest worker ever gets results that look so much like guessing; from 0 to 1.

    A task that others hardly ever get right says nothing about the worker.
    """
    if not judged:
        return Measured(1.0, 1.0, 1.0, 0)
    scores = np.array([one.score for one in judged])
    chance = chance_of(classes)
    ease = beyond(np.array([1.0 if one.easiness is None else one.easiness for one in judged]), chance)
    clarity = np.array([one.clarity for one in judged])
    skill = beyond(HONEST, chance)
    # Nobody is expected to be better at a task than it is easy.
    known = np.minimum(skill[:, None], ease[None, :]) * clarity[None, :]
    right = np.clip(chance + (1 - chance) * known, _TINY, 1 - _TINY)
    honest = (scores * np.log(right) + (1 - scores) * np.log1p(-right)).sum(axis=1)
    guesser = (scores * np.log(chance) + (1 - scores) * np.log1p(-chance)).sum()
    mixed = np.logaddexp.reduce(honest) - np.log(len(HONEST))
    likely = float(np.exp(min(0.0, mixed - guesser)))
    return Measured(likely, likely, likely, len(judged))


def chance_of(classes: int) -> float:
    """How often a guesser is right."""
    return 1.0 / classes if classes >= 2 else CHANCE_OF_FREE_ANSWERS


def beyond(accuracy: NDArray[np.float64], chance: float) -> NDArray[np.float64]:
    """How much of what chance leaves is got right, from 0 to 1."""
    return np.clip((accuracy - chance) / (1 - chance), 0.0, 1.0)
