"""Alpha is that of the `krippendorff` package, and of a double loop over every two values."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.agreement.krippendorff import Alpha, Level, distance_alpha, krippendorff_alpha
from marketplace.aggregation.agreement.units import Units

NAN = math.nan
# Three coders of the 2011 paper's kind of data, where many values are missing.
TABLE = [
    [NAN, NAN, NAN, NAN, NAN, 3, 4, 1, 2, 1, 1, 3, 3, NAN, 3],
    [1, NAN, 2, 1, 3, 3, 4, 3, NAN, NAN, NAN, NAN, NAN, NAN, NAN],
    [NAN, NAN, 2, 1, 3, 4, 4, NAN, 2, 1, 1, 3, 3, NAN, 4],
]


def units_of(table):
    cells = [
        (task, worker, value)
        for worker, row in enumerate(table)
        for task, value in enumerate(row)
        if not math.isnan(value)
    ]
    task, worker, value = zip(*cells, strict=True) if cells else ((), (), ())
    return Units.of(np.array(task, int), np.array(worker, int), np.array(value, float))


def by_hand(units, level):
    """The definition, value by value."""
    counts = {value: int((units.value == value).sum()) for value in sorted(set(units.value.tolist()))}
    values = list(counts)

    def apart(a, b):
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        if level == "ratio":
            return ((a - b) / (a + b)) ** 2 if a + b else 0.0
        low, high = min(a, b), max(a, b)
        between = sum(counts[value] for value in values if low <= value <= high)
        return (between - (counts[low] + counts[high]) / 2) ** 2 if low != high else 0.0

    within = 0.0
    for unit in range(len(units)):
        own = units.value[units.unit == unit]
        within += sum(apart(a, b) for i, a in enumerate(own) for j, b in enumerate(own) if i != j) / (len(own) - 1)
    total = len(units.value)
    chance = sum(counts[a] * (counts[b] - (a == b)) * apart(a, b) for a in values for b in values) / (total - 1)
    return 1 - within / chance if chance else NAN


tables = st.integers(2, 5).flatmap(
    lambda workers: st.integers(1, 8).flatmap(
        lambda tasks: st.lists(
            st.lists(st.sampled_from([NAN, 0.0, 1.0, 2.0, 2.5, 7.0]), min_size=tasks, max_size=tasks),
            min_size=workers,
            max_size=workers,
        )
    )
)


@given(tables, st.sampled_from(list(Level)))
@settings(max_examples=300)
def test_alpha_is_what_the_definition_says(table, level):
    units = units_of(table)
    expected = by_hand(units, level) if len(set(units.value.tolist())) > 1 else NAN
    assert krippendorff_alpha(units, level) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(tables, st.sampled_from(list(Level)))
@settings(max_examples=200)
def test_alpha_is_that_of_the_krippendorff_package(table, level):
    judge = pytest.importorskip("krippendorff")
    units = units_of(table)
    if len(set(units.value.tolist())) < 2:
        return
    expected = judge.alpha(reliability_data=np.array(table, float), level_of_measurement=level.value)
    assert krippendorff_alpha(units, level) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.691358), ("interval", 0.810845)])
def test_the_published_example_comes_out(level, expected):
    assert krippendorff_alpha(units_of(TABLE), level) == pytest.approx(expected, abs=1e-6)


@pytest.mark.crowd
def test_alpha_of_the_recorded_crowds_is_that_of_their_readme_and_of_the_judge(crowds):
    with open(crowds / "product-matching" / "answers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    tasks = {name: at for at, name in enumerate(dict.fromkeys(row["external_id"] for row in rows))}
    workers = {name: at for at, name in enumerate(dict.fromkeys(row["worker"] for row in rows))}
    units = Units.of(
        [tasks[row["external_id"]] for row in rows],
        [workers[row["worker"]] for row in rows],
        [float(row["label"] == "same") for row in rows],
    )
    assert round(krippendorff_alpha(units), 3) == 0.157
    with open(crowds / "emotion" / "answers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    judge = pytest.importorskip("krippendorff")
    names = sorted({row["external_id"] for row in rows}), sorted({row["worker"] for row in rows})
    table = np.full((len(names[1]), len(names[0])), np.nan)
    for row in rows:
        table[names[1].index(row["worker"]), names[0].index(row["external_id"])] = float(row["score"])
    worker, task = np.nonzero(np.isfinite(table))
    units = Units.of(task, worker, table[worker, task])
    for level in ("nominal", "ordinal", "interval"):
        expected = judge.alpha(reliability_data=table, level_of_measurement=level)
        assert krippendorff_alpha(units, level) == pytest.approx(expected, abs=1e-9)


@given(tables, st.sampled_from(list(Level)), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_alpha_is_the_same_to_the_bit_in_whatever_order_answers_come(table, level, chance):
    units = units_of(table)
    rows = list(zip(units.task[units.unit].tolist(), units.worker.tolist(), units.value.tolist(), strict=True))
    chance.shuffle(rows)
    if rows:
        again = krippendorff_alpha(Units.of(*(np.array(column) for column in zip(*rows, strict=True))), level)
        assert np.array_equal(again, krippendorff_alpha(units, level), equal_nan=True)


@given(tables, st.data(), st.sampled_from(list(Level)))
@settings(max_examples=100)
def test_a_unit_that_counts_twice_is_a_unit_that_is_there_twice(table, data, level):
    units = units_of(table)
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(units), max_size=len(units)))
    repeated = [
        (unit * 10 + copy, worker, value)
        for unit, worker, value in zip(units.unit.tolist(), units.worker.tolist(), units.value.tolist(), strict=True)
        for copy in range(weights[unit])
    ]
    columns = zip(*repeated, strict=True) if repeated else ((), (), ())
    kinds = (int, int, float)
    twice = Units.of(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))
    assert Alpha.of(units, level).at(weights) == pytest.approx(krippendorff_alpha(twice, level), abs=1e-9, nan_ok=True)


@given(tables)
@settings(max_examples=100)
def test_alpha_of_distances_is_the_nominal_one_where_all_pairs_are_compared(table):
    units = units_of(table)
    first, second = units.pairs
    one, other = np.triu_indices(len(units.value), 1)
    value = units.value
    found = distance_alpha(units, value[first] != value[second], one, other, value[one] != value[other]).at()
    assert found == pytest.approx(krippendorff_alpha(units), abs=1e-12, nan_ok=True)


def test_unanimous_answers_agree_fully_and_one_worker_or_one_label_says_nothing():
    assert krippendorff_alpha(units_of([[1, 2, 3], [1, 2, 3]])) == 1.0
    assert math.isnan(krippendorff_alpha(units_of([[1, 2, 3]])))
    assert math.isnan(krippendorff_alpha(units_of([[1, 1], [1, 1]])))
    assert math.isnan(krippendorff_alpha(units_of([])))


def test_values_far_from_zero_keep_their_digits():
    small, far = [[1, 2, 4], [1, 3, 4]], [[1e9 + 1, 1e9 + 2, 1e9 + 4], [1e9 + 1, 1e9 + 3, 1e9 + 4]]
    assert krippendorff_alpha(units_of(far), "interval") == pytest.approx(
        krippendorff_alpha(units_of(small), "interval")
    )


@pytest.mark.parametrize(
    ("task", "worker", "value", "words"),
    [
        ([1, 1], [1], [1.0, 2.0], "differ in length"),
        ([1, 1], [1, 2], [1.0, NAN], "value 1 is not a finite number"),
        ([0.5, 1], [1, 2], [1.0, 1.0], "task must be a column of whole numbers"),
    ],
)
def test_bad_columns_are_refused_with_words(task, worker, value, words):
    with pytest.raises(ValueError, match=words):
        Units.of(task, worker, value)


def test_ratio_refuses_values_below_zero_and_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="0 and more"):
        krippendorff_alpha(units_of([[-1, 2], [1, 2]]), "ratio")
    with pytest.raises(ValueError, match="circular"):
        krippendorff_alpha(units_of([[1, 2], [1, 2]]), "circular")
