"""Agreement among some of the answers: under each version of the instructions, and as time goes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.agreement.intervals import interval
from marketplace.aggregation.agreement.krippendorff import Level
from marketplace.aggregation.agreement.units import Units
from marketplace.results.reports.figures import PartAgreement, Said
from marketplace.results.reports.means import by_unit, figure_of, mean_of
from marketplace.results.reports.scales import Scale

PART_ROUNDS = 200
PART_CHANCE_PAIRS = 500
# Time is told in steps of one of these: the shortest that makes at most so many.
STEPS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 24 * 7, 24 * 28, 24 * 364))
PERIODS_MAX = 40


def by_version(scale: Scale, units: Units, said: Sequence[Said]) -> tuple[PartAgreement, ...]:
    """Answers under each version beside each other; `said` are the answers of the units' values (n_values,)."""
    version = np.array([one.version for one in said], dtype=np.intp)
    return tuple(
        _part(scale, units.select(version == number), version=int(number)) for number in np.unique(version).tolist()
    )


def by_period(scale: Scale, units: Units, said: Sequence[Said]) -> tuple[PartAgreement, ...]:
    """By when the last answer to each task was given, in steps that begin at full hours, days or weeks (UTC)."""
    if not said:
        return ()
    given = np.array([one.given_at.timestamp() for one in said])
    done = np.zeros(len(units))
    np.maximum.at(done, units.unit, given)
    step = next((step for step in STEPS if (done.max() - done.min()) / step.total_seconds() < PERIODS_MAX), STEPS[-1])
    number = np.floor(done / step.total_seconds()).astype(np.intp)
    found = []
    for at in np.unique(number).tolist():
        since = datetime.fromtimestamp(at * step.total_seconds(), tz=said[0].given_at.tzinfo)
        part = units.select((number == at)[units.unit])
        found.append(_part(scale, part, since=since, until=since + step))
    return tuple(found)


def _part(scale: Scale, units: Units, **of: Any) -> PartAgreement:
    first, second = units.pairs
    if scale.level == Level.NOMINAL:
        alike = np.asarray(units.value[first] == units.value[second], dtype=np.float64)
    else:
        alike = np.asarray(scale.scores(units) >= scale.kind.correct_at, dtype=np.float64)
    sums, counts = by_unit(units, units.unit[first], alike)
    alpha = scale.alpha(units, chance_pairs=PART_CHANCE_PAIRS)

    def both(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([mean_of(weights, sums, counts), alpha.at(weights)])

    value, (low, high) = both(np.ones(len(units))), interval(both, len(units), rounds=PART_ROUNDS)
    figures = [figure_of(value[at], low[at], high[at]) for at in (0, 1)]
    return PartAgreement(len(units), len(units.value), figures[0], figures[1], **of)
