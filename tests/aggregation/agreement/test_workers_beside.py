"""Each worker, and every two, beside the others: as a loop over all answers counts it."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.agreement.units import Units
from marketplace.aggregation.agreement.workers import by_pair, by_worker

answers = st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 4)), st.integers(0, 3), max_size=25)


@given(answers)
@settings(max_examples=200)
def test_each_worker_is_compared_with_those_who_did_the_same_task(cells):
    rows = [(task, worker, float(value)) for (task, worker), value in cells.items()]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    units = Units.of(*(np.array(column, kind) for column, kind in zip(columns, (int, int, float), strict=True)))
    first, second = units.pairs
    off = np.abs(units.value[first] - units.value[second])
    alike = (off == 0).astype(float)
    alone, couples = {}, {}
    for task in range(6):
        mates = {worker: value for (of, worker), value in cells.items() if of == task}
        for worker, value in mates.items():
            others = [other for name, other in mates.items() if name != worker]
            if others:
                alone.setdefault(worker, []).append(
                    (np.mean([other == value for other in others]), np.mean([abs(other - value) for other in others]))
                )
        for one, other in combinations(sorted(mates), 2):
            couples.setdefault((one, other), []).append((mates[one] == mates[other], abs(mates[one] - mates[other])))
    found = by_worker(units, alike, off)
    assert found.worker.tolist() == sorted(alone)
    for at, worker in enumerate(found.worker.tolist()):
        assert found.tasks[at] == len(alone[worker])
        assert (found.alike[at], found.apart[at]) == pytest.approx(tuple(np.mean(alone[worker], axis=0)))
    pairs = by_pair(units, alike, off)
    assert [tuple(couple) for couple in pairs.worker.tolist()] == sorted(couples)
    for at, couple in enumerate(pairs.worker.tolist()):
        expected = couples[tuple(couple)]
        assert pairs.tasks[at] == len(expected)
        assert (pairs.alike[at], pairs.apart[at]) == pytest.approx(tuple(np.mean(expected, axis=0)))


def test_where_chance_brings_no_distance_nothing_is_beyond_it():
    units = Units.of([1, 1], [1, 2], [3.0, 3.0])
    found = by_worker(units, [1.0], [0.0])
    assert np.isnan(found.beyond_chance(0.0)).all() and np.isnan(found.beyond_chance(float("nan"))).all()
    assert found.beyond_chance(0.5).tolist() == [1.0, 1.0]
