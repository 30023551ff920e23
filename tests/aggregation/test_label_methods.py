"""What holds for every method that turns votes into labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.glad import glad
from marketplace.aggregation.mace import mace
from marketplace.aggregation.majority import majority
from marketplace.aggregation.one_coin import one_coin
from marketplace.aggregation.ordinal import ordinal
from marketplace.aggregation.votes import Votes
from marketplace.aggregation.weighted import agreement_weighted
from tests.aggregation.crowds import N_TASKS, crowds, simulated, votes_of

LEARNING = [dawid_skene, one_coin, mace, glad, ordinal]
ALL = [majority, agreement_weighted, *LEARNING]
CLIMBING = [dawid_skene, one_coin, glad, ordinal]


def priors(votes, **options):
    return dawid_skene(votes, class_pseudocount=0.5, pseudocount=0.7, right_pseudocount=1.3, **options)


def one_coin_with_priors(votes, **options):
    return one_coin(votes, right_pseudocount=2, wrong_pseudocount=1, **options)


def mace_of_uneven_classes(votes, **options):
    return mace(votes, even_classes=False, **options)


@pytest.mark.parametrize("method", [*ALL, priors, one_coin_with_priors, mace_of_uneven_classes])
@settings(max_examples=60)
@given(crowds, st.randoms(use_true_random=False))
def test_the_order_of_the_votes_changes_no_bit(method, crowd, random):
    n_labels, triples = crowd
    shuffled = list(triples)
    random.shuffle(shuffled)

    one, other = method(votes_of(triples, n_labels)), method(votes_of(shuffled, n_labels))

    assert one.posteriors.tobytes() == other.posteriors.tobytes()
    assert one.iterations == other.iterations


@pytest.mark.parametrize("method", [*ALL, priors, one_coin_with_priors, mace_of_uneven_classes])
@settings(max_examples=60)
@given(crowds)
def test_posteriors_are_probabilities_and_labels_the_first_of_the_most_probable(method, crowd):
    n_labels, triples = crowd
    votes = votes_of(triples, n_labels)

    result = method(votes)

    assert result.posteriors.shape == (N_TASKS, n_labels)
    assert result.posteriors.sum(axis=1) == pytest.approx(np.ones(N_TASKS))
    assert (result.posteriors >= 0).all()
    assert result.labels.tolist() == result.posteriors.argmax(axis=1).tolist()
    assert result.n_votes.tolist() == np.bincount(votes.task, minlength=N_TASKS).tolist()


@pytest.mark.parametrize("method", [*CLIMBING, priors, one_coin_with_priors])
@settings(max_examples=60)
@given(crowds)
def test_the_likelihood_never_falls(method, crowd):
    n_labels, triples = crowd

    steps = np.diff(method(votes_of(triples, n_labels), max_iterations=30, tolerance=-np.inf).log_likelihoods)

    assert (steps >= -1e-7).all()


@pytest.mark.parametrize("method", [dawid_skene, one_coin, mace, glad, majority])
@pytest.mark.parametrize("seed", range(3))
def test_other_names_for_tasks_workers_and_labels_change_nothing_else(method, seed):
    votes, _ = simulated(seed, n_tasks=120)
    rng = np.random.default_rng(seed)
    tasks, workers, labels = (rng.permutation(n) for n in (votes.n_tasks, votes.n_workers, votes.n_labels))
    renamed = Votes(
        tasks[votes.task], workers[votes.worker], labels[votes.label], votes.n_tasks, votes.n_workers, votes.n_labels
    )

    before, after = method(votes), method(renamed)

    assert after.posteriors[tasks][:, labels] == pytest.approx(before.posteriors, abs=1e-9)
    assert after.iterations == before.iterations


@pytest.mark.parametrize("seed", range(3))
def test_a_scale_upside_down_gives_the_same_points_upside_down(seed):
    votes, _ = simulated(seed, n_tasks=120, n_labels=5)
    turned = Votes(votes.task, votes.worker, 4 - votes.label, votes.n_tasks, votes.n_workers, 5)

    before, after = ordinal(votes), ordinal(turned)

    assert after.posteriors[:, ::-1] == pytest.approx(before.posteriors, abs=1e-9)
    assert after.leaning == pytest.approx(-before.leaning, abs=1e-9)
    assert after.precision == pytest.approx(before.precision, abs=1e-9)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("n_labels", [1, 2, 5])
def test_unanimous_votes_win(method, n_labels):
    rng = np.random.default_rng(3)
    truth = rng.integers(0, n_labels, 40)
    task = np.repeat(np.arange(40), 4)
    votes = Votes(task, np.tile(np.arange(4), 40), truth[task], 40, 4, n_labels)

    assert method(votes).labels.tolist() == truth.tolist()


@pytest.mark.parametrize("method", [*ALL, priors])
@pytest.mark.parametrize(
    "shape", [(0, 0, 0), (0, 3, 2), (3, 0, 2), (3, 3, 1)], ids=["nothing", "no task", "no worker", "one label"]
)
def test_without_votes_there_is_a_prior_and_no_iteration(method, shape):
    result = method(Votes([], [], [], *shape))

    assert result.posteriors == pytest.approx(np.full((shape[0], shape[2]), 1 / max(shape[2], 1)))
    assert (result.iterations, result.converged, result.n_votes.sum()) == (0, True, 0)


@pytest.mark.parametrize("method", ALL)
def test_one_worker_alone_is_believed(method):
    votes = Votes([0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 2, 1], 4, 1, 3)

    assert method(votes).labels.tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("method", [one_coin, glad, dawid_skene])
def test_groups_of_workers_who_share_no_task_are_each_judged_by_themselves(method):
    votes, truth = simulated(5, n_tasks=200, n_workers=12)
    both = Votes(
        np.concatenate([votes.task, votes.task + 200]), np.concatenate([votes.worker, votes.worker + 12]),
        np.concatenate([votes.label, votes.label]), 400, 24, 3,
    )  # fmt: skip

    alone, together = method(votes), method(both)

    assert together.labels[:200].tolist() == together.labels[200:].tolist() == alone.labels.tolist()
    assert (alone.labels == truth).mean() > 0.85


@pytest.mark.parametrize("method", [*LEARNING, agreement_weighted, priors])
def test_known_labels_are_kept_and_teach_who_errs(method):
    # Workers 0 and 1 say the same and are wrong wherever the truth is known; worker 2 is right there.
    n_known = 20
    truth = np.arange(n_known) % 2
    tasks = np.arange(n_known + 1)
    given = np.concatenate([truth, [0]])
    votes = Votes(
        np.tile(tasks, 3), np.repeat([0, 1, 2], n_known + 1), np.concatenate([1 - given, 1 - given, given]),
        n_known + 1, 3, 2,
    )  # fmt: skip
    gold = np.concatenate([truth, [-1]])

    with_gold, without = method(votes, gold=gold), method(votes)

    assert with_gold.labels[:n_known].tolist() == truth.tolist()
    assert with_gold.confidence[:n_known].tolist() == [1.0] * n_known
    assert (without.labels[n_known], with_gold.labels[n_known]) == (1, 0)


@pytest.mark.parametrize("method", [*LEARNING, agreement_weighted])
@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ([0, 1], "gold must hold one label for each of the 3 tasks"),
        ([0, 1, 2], "gold holds 0 … 2, outside -1 … 1"),
        ([0.0, np.nan, 1.0], "gold holds float64 instead of integers"),
    ],
)
def test_gold_that_does_not_fit_is_refused_with_words(method, gold, message):
    with pytest.raises(ValueError, match=message):
        method(Votes([0, 1, 2], [0, 0, 0], [0, 1, 1], 3, 1, 2), gold=gold)


def test_a_known_task_without_votes_has_its_label():
    votes = Votes([0, 0], [0, 1], [1, 1], 2, 2, 3)

    for method in LEARNING:
        assert method(votes, gold=[-1, 2]).posteriors[1].tolist() == [0, 0, 1]


def test_a_label_that_nobody_gave_is_possible_only_by_a_prior():
    votes = Votes([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], 2, 2, 3)

    assert dawid_skene(votes).posteriors[:, 2].max() < 1e-9
    assert dawid_skene(votes, class_pseudocount=1, pseudocount=1).posteriors[:, 2].min() > 1e-3


def test_a_strangers_rates_are_the_priors_means():
    votes = Votes([0, 0], [0, 1], [0, 0], 1, 3, 3)

    rates = dawid_skene(votes, pseudocount=1, right_pseudocount=2).confusion

    assert rates[2] == pytest.approx(np.full((3, 3), 0.2) + 0.4 * np.eye(3))
    assert rates.sum(axis=2) == pytest.approx(np.ones((3, 3)))


def test_workers_are_told_apart_by_what_they_do():
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 3, 400)
    columns = [truth, truth, np.where(rng.random(400) < 0.8, truth, rng.integers(0, 3, 400)), np.zeros(400, int)]
    votes = Votes(np.tile(np.arange(400), 4), np.repeat(np.arange(4), 400), np.concatenate(columns), 400, 4, 3)

    spammer = mace(votes)
    assert spammer.competence[[0, 1]].min() > 0.9 > spammer.competence[2] > spammer.competence[3]
    assert spammer.spam[3].argmax() == 0
    assert np.argsort(glad(votes).ability)[:2].tolist() == [3, 2]
    assert one_coin(votes).skills == pytest.approx([1, 1, (columns[2] == truth).mean(), 1 / 3], abs=0.03)


def test_a_hard_task_is_found_hard():
    rng = np.random.default_rng(2)
    label = np.zeros((60, 10), int)
    label[:20] = rng.integers(0, 2, (20, 10))
    result = glad(Votes(np.repeat(np.arange(60), 10), np.tile(np.arange(10), 60), label.ravel(), 60, 10, 2))

    assert result.easiness[:20].max() < result.easiness[20:].min()


def test_leaning_and_precision_of_raters_are_found_and_allowed_for():
    rng = np.random.default_rng(4)
    truth = rng.integers(1, 4, 500)
    low, loose = truth - 1, np.clip(truth + rng.integers(-2, 3, 500), 0, 4)
    columns = [truth, truth, low, low, low, loose]
    votes = Votes(np.tile(np.arange(500), 6), np.repeat(np.arange(6), 500), np.concatenate(columns), 500, 6, 5)

    result = ordinal(votes, gold=np.where(np.arange(500) < 200, truth, -1))

    assert (result.medians == truth).mean() > 0.99 > (majority(votes).labels == truth).mean()
    assert result.leaning[2:5].max() < -0.5 < -abs(result.leaning[0])
    assert result.precision[5] < result.precision[0]


def test_the_ordinal_median_is_the_point_with_half_of_the_probability():
    votes = Votes([0, 0, 0], [0, 1, 2], [0, 2, 4], 1, 3, 5)

    result = ordinal(votes)

    below = np.cumsum(result.posteriors[0])
    assert below[result.medians[0]] >= 0.5 > below[result.medians[0]] - result.posteriors[0][result.medians[0]]


@pytest.mark.parametrize("method", LEARNING)
def test_options_that_make_no_sense_are_refused(method):
    with pytest.raises(ValueError, match="max_iterations"):
        method(Votes([0], [0], [0], 1, 1, 2), max_iterations=0)


def test_not_reaching_the_optimum_is_said():
    votes, _ = simulated(1)

    for method in LEARNING:
        assert not method(votes, max_iterations=1, tolerance=0).converged
        assert method(votes, max_iterations=2000, tolerance=1e-6).converged
