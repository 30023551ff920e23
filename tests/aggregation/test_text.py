from functools import cache
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.text import alignment
from marketplace.aggregation.text.alignment import TooLong, aligned, distance
from marketplace.aggregation.text.edits import edit_distance
from marketplace.aggregation.text.medoid import Answers, medoid
from marketplace.aggregation.text.rover import rover

sequences = st.lists(st.sampled_from("abc"), max_size=7).map(tuple)


def answers(*texts, weight=None, tasks=None, workers=None):
    """Texts as answers of workers 0, 1, … to task 0."""
    tokens = [tuple(text.split()) if isinstance(text, str) else tuple(text) for text in texts]
    task = [0] * len(tokens) if tasks is None else tasks
    worker = list(range(len(tokens))) if workers is None else workers
    count = max(worker, default=-1) + 1
    weights = np.full(count, 2 / 3) if weight is None else np.array(weight, float)
    return Answers(task, worker, tokens, max(task, default=0) + 1, weights)


def edits_by_definition(one, other):
    @cache
    def left(i, j):
        if not i or not j:
            return i + j
        return min(left(i - 1, j) + 1, left(i, j - 1) + 1, left(i - 1, j - 1) + (one[i - 1] != other[j - 1]))

    return left(len(one), len(other))


# Alignment


@given(sequences, sequences)
def test_edits_are_those_of_the_definition(one, other):
    assert edit_distance(one, other) == edits_by_definition(one, other) == edit_distance(other, one)


def test_distance_is_a_share_of_the_longer_text():
    assert distance(["the", "cat", "sat"], ["the", "cat", "sat", "down"]) == 0.25
    assert distance([], []) == 0.0
    assert distance([], ["a"]) == 1.0


slots = st.lists(st.tuples(st.frozensets(st.sampled_from("abc"), min_size=1), st.booleans()), max_size=5)


def cheapest_by_definition(tokens, choices, optional):
    @cache
    def left(i, j):
        ways = [0] if not i and not j else []
        if i:
            ways.append(left(i - 1, j) + 1)
        if j:
            ways.append(left(i, j - 1) + (not optional[j - 1]))
        if i and j:
            ways.append(left(i - 1, j - 1) + (tokens[i - 1] not in choices[j - 1]))
        return min(ways)

    return left(len(tokens), len(choices))


@given(sequences, slots)
def test_an_alignment_is_a_cheapest_one_and_has_each_token_and_slot_once_in_order(tokens, network):
    choices, optional = [choice for choice, _ in network], np.array([free for _, free in network], bool)

    pairs = aligned(tokens, choices, optional)

    assert [at for at, _ in pairs if at is not None] == list(range(len(tokens)))
    assert [at for _, at in pairs if at is not None] == list(range(len(choices)))
    cost = sum(
        1 if slot is None else not optional[slot] if token is None else tokens[token] not in choices[slot]
        for token, slot in pairs
    )
    assert cost == cheapest_by_definition(tokens, choices, optional)


def test_what_is_too_long_to_align_is_said_in_words(monkeypatch):
    monkeypatch.setattr(alignment, "CELLS_MAX", 5)

    with pytest.raises(TooLong, match="3 tokens beside 2 are too many to align"):
        aligned("abc", [frozenset("a")] * 2, np.zeros(2, bool))


# Medoid


@given(st.lists(sequences, min_size=1, max_size=6), st.data())
def test_the_medoid_has_the_least_weighted_distance(texts, data):
    weights = data.draw(st.lists(st.sampled_from([0.25, 0.5, 1.0]), min_size=len(texts), max_size=len(texts)))

    found = medoid(answers(*texts, weight=weights), fixed=True)

    def cost(chosen):
        return sum(weight * distance(chosen, text) for text, weight in zip(texts, weights, strict=True))

    assert found.tokens[0] in texts
    assert cost(found.tokens[0]) <= min(map(cost, texts)) + 1e-9
    assert found.confidence[0] == pytest.approx(1 - cost(found.tokens[0]) / sum(weights), abs=1e-9)
    assert (found.n_answers.tolist(), found.iterations, found.converged) == ([len(texts)], 0, True)


def test_of_texts_equally_near_the_most_frequent_then_the_first_in_order_is_taken():
    assert medoid(answers("b", "a"), fixed=True).tokens == [("a",)]
    assert medoid(answers("a b", "a c", "a d", "a d"), fixed=True).tokens == [("a", "d")]


def test_a_careless_worker_weighs_less_after_a_few_tasks():
    right = [f"word{number} is right here" for number in range(8)]
    texts = [text for number, text in enumerate(right) for text in (text, text, f"noise{number}")]
    made = answers(
        *texts, "what he said", "what she said last",
        tasks=[at // 3 for at in range(24)] + [8, 8], workers=[0, 1, 2] * 8 + [2, 0],
    )  # fmt: skip

    found = medoid(made)

    assert medoid(made, fixed=True).tokens[8] == ("what", "he", "said")
    assert found.tokens[8] == ("what", "she", "said", "last")
    assert found.weight[2] < 0.4 < 0.8 < found.weight[0]
    assert found.converged
    assert found.iterations == 2


def test_answers_that_do_not_fit_are_refused_in_words():
    right = {"task": [0], "worker": [0], "tokens": [("a",)], "n_tasks": 1, "weight": np.ones(1)}
    assert Answers(**right).by_task() == [[0]]
    for broken, message in [
        ({"worker": [0, 0]}, "differ in length: 1, 2, 1"),
        ({"task": [1]}, "task holds a number outside"),
        ({"worker": [1]}, "worker holds a number outside"),
        ({"weight": np.array([np.nan])}, "weight holds a number"),
    ]:
        with pytest.raises(ValueError, match=message):
            Answers(**{**right, **broken})


@pytest.mark.parametrize("method", [medoid, rover])
def test_no_answers_give_no_texts(method):
    found = method(Answers([], [], [], 2, np.zeros(0)))

    assert (found.tokens, found.confidence.tolist(), found.n_answers.tolist()) == ([None, None], [0.0, 0.0], [0, 0])
    assert found.converged


# ROVER


def test_each_word_is_voted_on_by_itself():
    found = rover(answers("the cat sat on a mat", "the bat sat on the mat", "a cat sat on the mat"))

    assert found.tokens == [("the", "cat", "sat", "on", "the", "mat")]
    assert found.confidence[0] == pytest.approx((2 / 3 + 2 / 3 + 1 + 1 + 2 / 3 + 1) / 6, abs=0.02)


def test_words_that_one_leaves_out_and_words_that_one_adds_are_voted_on_too():
    assert rover(answers("a b c d", "a c d", "a b c x d")).tokens == [("a", "b", "c", "d")]
    assert rover(answers("b", "a b", "a b")).tokens == [("a", "b")]
    assert rover(answers("", "a", "")).tokens == [()]
    assert rover(answers("", "")).confidence.tolist() == [1.0]


def test_words_that_a_rover_adds_have_no_place_in_the_backbone():
    found = rover(answers("a b d e", "a b d e x", "a c d e x", "a b d x"))

    assert found.tokens == [("a", "b", "d", "e", "x")]
    backbone = ("a b d e", "a b d e x", "a c d e x", "a b d x")[found.origin[0]].split()
    assert [None if at is None else backbone[at] for at in found.sources[0]] in (
        ["a", "b", "d", "e", None], ["a", "b", "d", "e", "x"],
    )  # fmt: skip


@given(sequences, st.integers(1, 5))
def test_unanimous_answers_are_the_result_with_full_confidence(text, count):
    for method in (medoid, rover):
        found = method(answers(*[text] * count))
        assert (found.tokens, found.confidence.tolist()) == ([text], [1.0])


@given(st.lists(sequences, min_size=1, max_size=4))
@settings(max_examples=60)
def test_neither_the_order_of_answers_nor_the_numbers_of_workers_matter(texts):
    for method in (medoid, rover):
        found = {
            (tuple(result.tokens), float(result.confidence[0]))
            for order in permutations(texts)
            for result in [method(answers(*order))]
        }
        assert len(found) == 1


@given(st.lists(sequences, min_size=1, max_size=5))
def test_every_word_of_a_rover_is_a_word_of_some_answer(texts):
    found = rover(answers(*texts))

    assert set(found.tokens[0]) <= {token for text in texts for token in text}
    assert 0 < found.confidence[0] <= 1
    assert len(found.sources[0]) == len(found.tokens[0])


def test_what_is_too_long_to_align_keeps_its_medoid(monkeypatch):
    texts = ["a b c", "a x c", "a b y"]
    monkeypatch.setattr(alignment, "CELLS_MAX", 2)

    assert rover(answers(*texts)).tokens == medoid(answers(*texts)).tokens


def noisy(words, share, random):
    """The words with that share of them replaced, left out or doubled."""
    said = []
    for word in words:
        if random.random() >= share:
            said.append(word)
            continue
        kind = random.integers(3)
        said += [[f"w{random.integers(200)}"], [], [word, word]][kind]
    return tuple(said)


def spoken(seed, *, n_tasks=40, shares=(0.05, 0.1, 0.2, 0.3, 0.5)):
    """Right texts, and the answers of workers who get these shares of the words wrong."""
    random = np.random.default_rng(seed)
    right = [tuple(f"w{word}" for word in random.integers(200, size=12)) for _ in range(n_tasks)]
    rows = [(task, worker, noisy(text, share, random)) for task, text in enumerate(right)
            for worker, share in enumerate(shares)]  # fmt: skip
    task, worker, tokens = zip(*rows, strict=True)
    return right, Answers(task, worker, tokens, n_tasks, np.full(len(shares), 2 / 3))


def error_rate(right, found):
    return sum(edit_distance(*pair) for pair in zip(right, found, strict=True)) / sum(map(len, right))


def test_a_rover_errs_less_than_the_medoid_and_both_less_than_the_average_answer():
    by_rover, by_medoid, average = [], [], []
    for seed in range(5):
        right, made = spoken(seed)
        found = rover(made)
        by_rover.append(error_rate(right, found.tokens))
        by_medoid.append(error_rate(right, medoid(made).tokens))
        average.append(error_rate([right[task] for task in made.task], made.tokens))
        assert found.weight.tolist() == sorted(found.weight.tolist(), reverse=True)

    assert sum(by_rover) < 0.9 * sum(by_medoid)
    assert max(by_medoid) < min(average)


def test_a_rover_errs_less_than_that_of_crowd_kit():
    crowdkit = pytest.importorskip("crowdkit.aggregation")
    frame = pytest.importorskip("pandas").DataFrame
    ours, theirs = [], []
    for seed in range(8):
        right, made = spoken(seed, shares=(0.2, 0.25, 0.1, 0.2, 0.15))
        table = frame({"task": made.task, "worker": made.worker, "text": [" ".join(text) for text in made.tokens]})
        found = crowdkit.ROVER(str.split, " ".join).fit_predict(table)
        theirs.append(error_rate(right, [tuple(found[task].split()) for task in range(len(right))]))
        ours.append(error_rate(right, rover(made).tokens))

    assert sum(ours) < 0.9 * sum(theirs)
