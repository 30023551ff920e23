"""Robust means, and workers with a bias and a spread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.aggregation.numeric import Numbers, trimmed_mean
from marketplace.aggregation.worker_bias import worker_bias
from tests.aggregation.crowds import recorded

tables = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(-1000, 1000).map(lambda value: value / 8)), max_size=40
)


def numbers_of(rows, n_tasks=5, n_workers=4):
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return Numbers(
        np.array(columns[0], int), np.array(columns[1], int), np.array(columns[2], float), n_tasks, n_workers
    )


def measured(seed, *, n_tasks=200, overlap=6):
    rng = np.random.default_rng(seed)
    truth, bias = rng.normal(50, 20, n_tasks), rng.normal(0, 5, 15)
    spread = rng.choice([1.0, 3.0, 15.0], 15)
    task = np.repeat(np.arange(n_tasks), overlap)
    worker = np.concatenate([rng.choice(15, overlap, replace=False) for _ in range(n_tasks)])
    value = truth[task] + bias[worker] + rng.normal(0, 1, len(task)) * spread[worker]
    return Numbers(task, worker, value, n_tasks, 15), truth, bias, spread


@given(tables)
def test_without_trimming_it_is_the_mean_and_with_a_half_cut_off_the_median(rows):
    numbers = numbers_of(rows)
    mean, median = trimmed_mean(numbers, trim=0).values, trimmed_mean(numbers, trim=0.5).values

    for task in range(5):
        values = [value for at, _, value in rows if at == task]
        if values:
            assert mean[task] == pytest.approx(np.mean(values), abs=1e-9)
            assert median[task] == pytest.approx(np.median(values), abs=1e-6)
        else:
            assert np.isnan(mean[task]) and np.isnan(median[task])


@pytest.mark.parametrize("trim", [0.1, 0.2, 0.25, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_trimming_whole_answers_equals_scipys_trimmed_mean(trim, seed):
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(seed).normal(size=20)

    ours = trimmed_mean(Numbers(np.zeros(20, int), np.arange(20), values, 1, 20), trim=trim)

    assert ours.values[0] == pytest.approx(stats.trim_mean(values, trim))


def test_an_answer_counts_as_often_as_its_workers_weight():
    by_weight = trimmed_mean(numbers_of([(0, 0, 1.0), (0, 1, 5.0), (0, 2, 90.0)], 1), weight=[1, 3, 2, 0], trim=0.25)
    by_repeating = trimmed_mean(numbers_of([(0, 0, 1.0), *[(0, 1, 5.0)] * 3, *[(0, 2, 90.0)] * 2], 1), trim=0.25)

    assert by_weight.values == pytest.approx(by_repeating.values)


def test_workers_who_weigh_nothing_decide_only_among_themselves():
    numbers = numbers_of([(0, 0, 1.0), (0, 1, 9.0), (1, 0, 3.0)], 2)

    assert trimmed_mean(numbers, weight=[0, 1, 1, 1], trim=0).values.tolist() == [9.0, 3.0]


def test_a_wild_answer_hardly_moves_a_trimmed_mean_and_a_mean_without_end():
    tame, wild = ([(0, worker, value) for worker, value in enumerate((9.0, 10.0, 11.0, last))] for last in (12.0, 1e9))

    assert trimmed_mean(numbers_of(wild, 1)).values == pytest.approx(trimmed_mean(numbers_of(tame, 1)).values)
    assert trimmed_mean(numbers_of(wild, 1), trim=0).values[0] > 1e8


@pytest.mark.parametrize("method", [trimmed_mean, worker_bias])
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_the_numbers_changes_no_bit(method, rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)

    one, other = method(numbers_of(rows)), method(numbers_of(shuffled))

    for name in ("values", "spread", "bias", "variance"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


@given(tables)
def test_the_density_of_the_numbers_never_falls(rows):
    steps = np.diff(worker_bias(numbers_of(rows), max_iterations=40, tolerance=-np.inf).log_likelihoods)

    assert (steps >= -1e-7).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-50, 50)), min_size=1, max_size=12))
def test_where_all_say_the_same_that_is_the_value(given_once):
    values = dict(given_once)
    rows = [(task, worker, float(value)) for task, value in values.items() for worker in range(3)]

    for result in (trimmed_mean(numbers_of(rows)), worker_bias(numbers_of(rows))):
        assert [result.values[task] for task in values] == pytest.approx(list(values.values()), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_shift_shifts_and_another_unit_scales(seed):
    numbers, *_ = measured(seed)
    moved = Numbers(numbers.task, numbers.worker, numbers.value * 1000 - 7, 200, 15)

    before, after = worker_bias(numbers), worker_bias(moved)

    assert after.values == pytest.approx(before.values * 1000 - 7, abs=1e-4)
    assert after.bias == pytest.approx(before.bias * 1000, abs=1e-4)
    assert after.variance == pytest.approx(before.variance * 1e6, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_biases_and_spreads_are_found_and_make_the_values_better(seed):
    numbers, truth, bias, spread = measured(seed)

    result = worker_bias(numbers)

    error = {name: np.abs(values - truth).mean() for name, values in (
        ("bias", result.values), ("mean", trimmed_mean(numbers, trim=0).values), ("half", trimmed_mean(numbers).values)
    )}  # fmt: skip
    assert error["bias"] < 0.7 * min(error["mean"], error["half"])
    assert np.corrcoef(result.bias, bias)[0, 1] > 0.9
    assert np.corrcoef(np.log(result.variance), np.log(spread))[0, 1] > 0.85
    assert result.converged


def test_the_stated_density_is_that_of_the_joint_normal_distribution():
    stats = pytest.importorskip("scipy.stats")
    rows = [(0, 0, 1.0), (0, 1, 2.5), (1, 0, 4.0), (1, 2, 3.0), (1, 1, 5.5), (2, 2, 0.5)]
    numbers = numbers_of(rows, 3, 3)
    result = worker_bias(numbers, strength=2.0, max_iterations=1, tolerance=-np.inf)
    shift, scale = numbers.value.mean(), numbers.value.std()
    value = (numbers.value - shift) / scale
    means = np.bincount(numbers.task, value) / np.bincount(numbers.task)
    noise = ((value - means[numbers.task]) ** 2).sum() / (6 - 3)

    # At the first step: no biases, all variances `noise`, true values of mean 0 and of the means' variance.
    same = numbers.task[:, None] == numbers.task[None, :]
    density = stats.multivariate_normal(np.zeros(6), means.var() * same + noise * np.eye(6)).logpdf(value)

    assert result.log_likelihoods[0] == pytest.approx(density - 3 * (np.log(noise) + 1))


def test_on_the_recorded_crowd_errors_are_those_that_were_measured():
    rows, truth = recorded("emotion", "score")
    tasks = {task: at for at, task in enumerate(dict.fromkeys(row[0] for row in rows))}
    workers = {worker: at for at, worker in enumerate(dict.fromkeys(row[1] for row in rows))}
    numbers = numbers_of(
        [(tasks[task], workers[worker], float(score)) for task, worker, score in rows], len(tasks), len(workers)
    )
    right = np.array([float(truth[task]) for task in tasks])

    def errors(values):
        off = values - right
        return round(float(np.abs(off).mean()), 2), round(float(np.sqrt((off**2).mean())), 2)

    # The mean's are those of the survey that the crowd is from.
    assert errors(trimmed_mean(numbers, trim=0).values) == (12.02, 17.84)
    assert errors(trimmed_mean(numbers, trim=0.1).values) == (11.93, 18.62)
    assert errors(trimmed_mean(numbers, trim=0.5).values) == (13.53, 21.26)
    assert errors(worker_bias(numbers).values) == (13.25, 18.84)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0], [0], [np.nan]), "value holds numbers that are not finite"),
        (([0], [0], [np.inf]), "value holds numbers that are not finite"),
        (([5], [0], [1.0]), "task holds 5 … 5, outside 0 … 4"),
        (([0], [-1], [1.0]), "worker holds -1 … -1, outside 0 … 3"),
        (([0, 1], [0], [1.0]), "three columns of equal length"),
        (([0.5], [0], [1.0]), "task must be a column of integers"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_with_words(columns, message):
    with pytest.raises(ValueError, match=message):
        Numbers(*(np.array(column) for column in columns), 5, 4)


def test_options_of_means_that_make_no_sense_are_refused():
    numbers = numbers_of([(0, 0, 1.0)])

    for options in ({"trim": 0.6}, {"weight": [1, 2]}, {"weight": [1, 1, 1, -1]}, {"weight": [1, 1, 1, np.nan]}):
        with pytest.raises(ValueError, match=r"trim|weight"):
            trimmed_mean(numbers, **options)
    with pytest.raises(ValueError, match="strength"):
        worker_bias(numbers, strength=0)


def test_no_numbers_give_no_values():
    for method in (trimmed_mean, worker_bias):
        result = method(numbers_of([]))
        assert np.isnan(result.values).tolist() == [True] * 5
        assert (result.n_values.tolist(), result.converged) == ([0] * 5, True)
