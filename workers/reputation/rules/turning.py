"""Sleepers: who worked well, and from some point on answers by chance.

A sum over possible points of change of likelihood ratios (Shiryaev–Roberts; Pollak, "Optimal detection of a change in
distribution", Annals of Statistics 13, 1985): for every point, how much better does chance explain what came after than
the worker's own level before? That level is not known exactly, so that it is mixed by what is believed of it at that
point. A worker is measured by himself, not by the crowd: one of 0.7 who stays there never turns.
"""

from collections.abc import Sequence

import numpy as np

from workers.reputation.rules.events import Measured, Scored
from workers.reputation.rules.spam import beyond, chance_of

# How many levels beyond chance are thought of, and how sure (natural logarithm of odds) it must be that the worker was
# better than chance before he can turn.
LEVELS = np.linspace(0.1, 0.96, 16)
SURE_BEFORE = 3.0
# A few wrong answers in a row are bad luck, however unlikely: so many judged answers must speak for a turn.
AFTER_LEAST = 10
# Mistakes come in clumps, as hard tasks do, so that one says less beside another than it would alone: what speaks for a
# turn counts for that part (a tempered likelihood).
TEMPER = 0.7


def turned(judged: Sequence[Scored], classes: int) -> Measured:
    """The logarithm of the mean likelihood ratio over all points of change, 0 when nothing speaks for one; `n` is how
    many judged answers came after the likeliest point."""
    if not judged:
        return Measured(0.0, 0.0, 0.0, 0)
    chance = chance_of(classes)
    scores = np.array([one.score for one in judged])
    clarity = np.array([one.clarity for one in judged])
    # Nobody is expected to be better at a task than it is easy: a mistake where others err tells little.
    ease = beyond(np.array([1.0 if one.easiness is None else one.easiness for one in judged]), chance)
    right = chance + (1 - chance) * np.minimum(LEVELS[:, None], ease[None, :]) * clarity[None, :]
    each = scores * np.log(right) + (1 - scores) * np.log1p(-right)
    each -= scores * np.log(chance) + (1 - scores) * np.log1p(-chance)
    # How much better the worker's level, mixed, explains all up to each point than chance does.
    before = np.logaddexp.reduce(np.cumsum(each, axis=1), axis=0) - np.log(len(LEVELS))
    before, latest = before[:-AFTER_LEAST], before[-1]
    ratios = np.where(before < SURE_BEFORE, -np.inf, TEMPER * (before - latest))
    if not len(ratios) or ratios.max() <= 0:
        return Measured(0.0, 0.0, 0.0, 0)
    best = int(np.argmax(ratios))
    value = float(min(100.0, max(0.0, np.logaddexp.reduce(ratios) - np.log(len(ratios)))))
    return Measured(value, value, value, len(judged) - 1 - best)
