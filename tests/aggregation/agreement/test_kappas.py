"""Cohen and Fleiss beside scikit-learn, published examples and loops; raw agreement and what is said of pairs."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.agreement.classes import confusions, label_agreement
from marketplace.aggregation.agreement.intervals import interval
from marketplace.aggregation.agreement.kappas import cohen_kappa, fleiss_kappa, raw_agreement, worker_pairs
from marketplace.aggregation.agreement.krippendorff import krippendorff_alpha
from marketplace.aggregation.agreement.units import Units
from marketplace.aggregation.agreement.words import landis_koch, look_at_instructions, sure_word

# How often 14 raters put each of 10 subjects in each of 5 categories; kappa is 0.210 (Fleiss 1971, as usually quoted).
FOURTEEN = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
answers = st.dictionaries(st.tuples(st.integers(0, 6), st.integers(0, 4)), st.integers(0, 3), min_size=0, max_size=30)


def units_of(cells):
    rows = [(task, worker, float(value)) for (task, worker), value in cells.items()]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return Units.of(*(np.array(column, kind) for column, kind in zip(columns, (int, int, float), strict=True)))


def by_task(cells):
    tasks = {}
    for (task, worker), value in sorted(cells.items()):
        tasks.setdefault(task, []).append((worker, value))
    return [given for given in tasks.values() if len(given) > 1]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40),
       st.sampled_from(["none", "linear", "quadratic"]))  # fmt: skip
@settings(max_examples=200)
def test_cohen_is_that_of_scikit_learn(pairs, weighing):
    judge = pytest.importorskip("sklearn.metrics")
    one, other = np.array(pairs).T
    found = cohen_kappa(one, other, 4, weighing)
    if len(set(one) | set(other)) < 2:
        assert math.isnan(found)
        return
    expected = judge.cohen_kappa_score(one, other, labels=range(4), weights=None if weighing == "none" else weighing)
    assert found == pytest.approx(expected, abs=1e-12)


def test_fleiss_of_the_published_example_is_0_210():
    cells = {}
    for task, row in enumerate(FOURTEEN):
        labels = [label for label, times in enumerate(row) for _ in range(times)]
        cells |= {(task, worker): label for worker, label in enumerate(labels)}
    assert fleiss_kappa(units_of(cells)) == pytest.approx(0.2099, abs=1e-4)


@given(answers)
@settings(max_examples=200)
def test_raw_agreement_and_fleiss_are_what_loops_count(cells):
    units, tasks = units_of(cells), by_task(cells)
    shares = [np.mean([a == b for (_, a), (_, b) in combinations(given, 2)]) for given in tasks]
    assert raw_agreement(units) == pytest.approx(np.mean(shares) if shares else math.nan, nan_ok=True)
    values = [value for given in tasks for _, value in given]
    if len(set(values)) > 1:
        chance = sum((values.count(label) / len(values)) ** 2 for label in set(values))
        assert fleiss_kappa(units) == pytest.approx((np.mean(shares) - chance) / (1 - chance), abs=1e-12)
    else:
        assert math.isnan(fleiss_kappa(units))


@given(answers)
@settings(max_examples=200)
def test_every_two_workers_have_cohens_kappa_of_the_tasks_they_share(cells):
    found = worker_pairs(units_of(cells))
    told = zip(found.one, found.other, found.shared, found.alike, found.kappa, strict=True)
    seen = {(int(one), int(other)): rest for one, other, *rest in told}
    expected = {}
    for one, other in combinations(range(5), 2):
        shared = sorted(task for task in range(7) if (task, one) in cells and (task, other) in cells)
        if shared:
            columns = [np.array([cells[task, worker] for task in shared]) for worker in (one, other)]
            expected[one, other] = [len(shared), (columns[0] == columns[1]).mean(), cohen_kappa(*columns, 4)]
    assert seen.keys() == expected.keys()
    for couple, figures in expected.items():
        assert seen[couple] == pytest.approx(figures, abs=1e-12, nan_ok=True)


@given(answers)
@settings(max_examples=200)
def test_agreement_about_a_label_is_alpha_of_this_or_another(cells):
    units = units_of(cells)
    found = label_agreement(units)
    for at, label in enumerate(found.value.tolist()):
        others = [(value, mate) for given in by_task(cells) for worker, value in given for name, mate in given
                  if name != worker and value == label]  # fmt: skip
        weight = {task: 1 / (len(given) - 1) for task, given in enumerate(by_task(cells))}
        alike = sum(weight[task] for task, given in enumerate(by_task(cells)) for worker, value in given
                    for name, mate in given if name != worker and value == mate == label)  # fmt: skip
        assert len(others) >= found.given[at] > 0
        assert found.alike[at] == pytest.approx(alike / found.given[at])
        binary = Units.of(units.task[units.unit], units.worker, (units.value == label).astype(float))
        assert found.alpha[at] == pytest.approx(krippendorff_alpha(binary), abs=1e-12, nan_ok=True)


@given(answers)
@settings(max_examples=100)
def test_confusions_are_the_pairs_that_differ_most_frequent_first(cells):
    found = confusions(units_of(cells))
    counts = {}
    for given_to in by_task(cells):
        for (_, a), (_, b) in combinations(given_to, 2):
            if a != b:
                couple = (min(a, b), max(a, b))
                counts[couple] = counts.get(couple, 0) + 1
    told = list(zip(found.one.tolist(), found.other.tolist(), found.pairs.tolist(), strict=True))
    assert told == [(*couple, times) for couple, times in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


@given(answers, st.permutations(range(4)), st.permutations(range(5)))
@settings(max_examples=100)
def test_other_names_for_labels_and_workers_change_no_figure(cells, labels, workers):
    other = {(task, workers[worker]): labels[value] for (task, worker), value in cells.items()}
    for figure in (raw_agreement, fleiss_kappa, krippendorff_alpha, lambda units: worker_pairs(units).mean_kappa()):
        assert figure(units_of(other)) == pytest.approx(figure(units_of(cells)), abs=1e-12, nan_ok=True)


def test_columns_of_labels_are_checked():
    with pytest.raises(ValueError, match="differ in length"):
        cohen_kappa([1, 2], [1], 3)
    with pytest.raises(ValueError, match="second holds 0 … 7, outside 0 … 3"):
        cohen_kappa([1, 2], [0, 7], 4)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    held = 0
    for round_ in range(60):
        alike = (rng.random(150) < 0.7).astype(float)
        low, high = interval(lambda w, alike=alike: w @ alike / w.sum(), 150, rounds=300, seed=round_)
        held += low <= 0.7 <= high
    assert 51 <= held <= 60


def test_intervals_are_the_same_each_time_and_of_too_little_there_is_none():
    def mean(weights):
        return weights @ np.arange(20.0) / weights.sum()

    assert interval(mean, 20) == interval(mean, 20)
    assert np.isnan(interval(lambda weights: 1.0, 1)).all()
    low, high = interval(lambda weights: np.array([math.nan, 1.0]), 5, rounds=10)
    assert math.isnan(low[0]) and math.isnan(high[0]) and low[1] == high[1] == 1.0
    with pytest.raises(ValueError, match="coverage"):
        interval(mean, 20, coverage=95)


@pytest.mark.parametrize(
    ("figure", "word"),
    [(-0.1, "poor"), (0.0, "slight"), (0.2, "slight"), (0.21, "fair"), (0.4, "fair"), (0.6, "moderate"),
     (0.61, "substantial"), (0.8, "substantial"), (0.81, "almost perfect"), (1.0, "almost perfect"),
     (math.nan, "unknown")],
)  # fmt: skip
def test_words_are_those_of_landis_and_koch(figure, word):
    assert landis_koch(figure) == word


def test_the_instructions_come_first_below_0_6_and_where_nothing_is_known_nothing_is_said():
    assert [look_at_instructions(figure) for figure in (0.59, 0.6, math.nan)] == [True, False, False]


@pytest.mark.parametrize(
    ("word", "low", "high", "said"),
    [
        ("almost perfect", 0.8, 0.9, "almost perfect"),
        ("substantial", 0.7, 0.9, "substantial"),
        ("almost perfect", 0.0, 0.86, "too few"),
        ("poor", None, None, "too few"),
        ("unknown", None, None, "unknown"),
    ],
)
def test_a_strong_word_is_said_only_where_the_interval_is_no_wider_than_it(
    word: str, low: float | None, high: float | None, said: str
) -> None:
    assert sure_word(word, low, high) == said
