from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from marketplace.aggregation.text.stretches import cut, joined, matched, overlap, shared_length

END = 12


@st.composite
def lines(draw):
    """Stretches of labels a and b that do not overlap, in order."""
    bounds = sorted(draw(st.sets(st.integers(0, END), max_size=8)))
    return [
        (label, start, end) for start, end in pairwise(bounds) if (label := draw(st.sampled_from(["a", "b", None])))
    ]


def label_at(stretches, place):
    return next((label for label, start, end in stretches if start <= place < end), None)


@given(st.lists(lines(), min_size=1, max_size=4))
def test_pieces_say_of_each_place_what_the_answers_say_of_it(answers):
    pieces = cut(answers)

    for place in range(END):
        said = tuple(label_at(stretches, place) for stretches in answers)
        found = [piece.labels for piece in pieces if piece.start <= place < piece.end]
        assert found == ([said] if any(said) else [])


@given(lines())
def test_the_pieces_of_one_answer_join_to_that_answer(stretches):
    pieces = cut([stretches])

    assert joined(pieces, [piece.labels[0] for piece in pieces]) == stretches


def test_stretches_that_touch_stay_apart_where_most_begin_a_new_one():
    apart, whole = [("a", 0, 3), ("a", 3, 5)], [("a", 0, 5)]

    assert joined(cut([apart, apart, whole]), ["a", "a"]) == apart
    assert joined(cut([apart, whole]), ["a", "a"]) == whole


def most_pairs(one, other, least):
    """By trying all: for each stretch of one list a partner of the other, or none."""
    fitting = [
        [None, *(at for at, right in enumerate(other) if right[0] == left[0] and overlap(left, right) >= least)]
        for left in one
    ]
    best = 0
    for partners in product(*fitting):
        named = [at for at in partners if at is not None]
        if len(set(named)) == len(named):
            best = max(best, len(named))
    return best


@given(lines(), lines(), st.sampled_from([0.01, 0.25, 0.5, 0.8, 1.0]))
def test_as_many_stretches_are_matched_as_can_be(one, other, least):
    pairs = matched(one, other, least)

    assert len({left for left, _ in pairs}) == len({right for _, right in pairs}) == len(pairs)
    assert all(one[left][0] == other[right][0] and overlap(one[left], other[right]) >= least for left, right in pairs)
    assert len(pairs) == most_pairs(one, other, least)


@given(lines(), lines())
def test_what_is_shared_is_counted_place_by_place(one, other):
    places = sum(label_at(one, place) is not None and label_at(other, place) is not None for place in range(END))

    assert shared_length([stretch[1:] for stretch in one], [stretch[1:] for stretch in other]) == places
