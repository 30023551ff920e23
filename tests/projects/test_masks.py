"""Masks as answers: what is accepted, how two agree, and what several come to."""

import time
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.geometry.runs import compressed, counts_of, mask_of
from marketplace.projects.answer_types.base import AnswerTable, FieldInvalid, ValueRefused
from marketplace.projects.answer_types.parts import Mask
from marketplace.projects.answer_types.registry import answer_type

MASK = answer_type("mask")
LABELS = [{"value": "sky"}, {"value": "road"}, {"value": "car"}]
HEIGHT, WIDTH = 6, 8


def field(mode="semantic", **options):
    options.setdefault("labels", LABELS)
    return MASK.check_field({"name": "it", "type": "mask", "of": "picture", "mode": mode, **options})


def block(top, left, bottom, right):
    pixels = np.zeros((HEIGHT, WIDTH), dtype=bool)
    pixels[top:bottom, left:right] = True
    return pixels


def mask(*objects, height=HEIGHT, width=WIDTH):
    return {
        "height": height,
        "width": width,
        "objects": [
            {"label": label, "counts": counts_of(pixels).tolist()} | ({"instance": number[0]} if number else {})
            for label, pixels, *number in objects
        ],
    }


def refusal(declared, value):
    with pytest.raises(ValueRefused) as caught:
        MASK.clean(declared, value)
    return caught.value.message


def outcome(declared, values, method="pixel_majority"):
    return MASK.aggregate(declared, AnswerTable([0] * len(values), range(len(values)), values, 1), method)


def pixels_of(value):
    """By label and instance the pixels."""
    return {
        (one["label"], one.get("instance")): mask_of(np.array(one["counts"]), value["height"], value["width"])
        for one in value["objects"]
    }


def test_a_mask_has_one_form_from_run_lengths_of_any_kind():
    declared = field()
    sky, road = block(0, 0, 2, 8), block(4, 0, 6, 8)
    value = mask(("sky", sky), ("road", road))
    split = [*value["objects"][0]["counts"], 0, 0]

    assert MASK.clean(declared, value) == value
    assert MASK.clean(declared, mask(("road", road), ("sky", sky))) == value
    assert MASK.clean(declared, value | {"objects": [value["objects"][1], {"label": "sky", "counts": split}]}) == value
    strings = [one | {"counts": compressed(np.array(one["counts"]))} for one in value["objects"]]
    assert MASK.clean(declared, value | {"objects": strings}) == value
    assert next(iter(MASK.parts(declared, value))) == Mask("sky", 6, 8, tuple(value["objects"][0]["counts"]))
    assert MASK.clean(declared, mask()) == mask()
    assert MASK.check_field(declared) == declared


def test_run_lengths_fill_the_picture():
    declared = field(width=8, height=6)

    def with_counts(counts):
        return refusal(declared, mask() | {"objects": [{"label": "sky", "counts": counts}]})

    assert with_counts([1, 2]) == "object 1: counts must sum to the 48 pixels of the picture, height x width"
    for counts in ([], None, [48.0], [True, 47], [-1, 49], [49], ["48"], {}, [0, float("nan")]):
        assert with_counts(counts).startswith("object 1: counts must be a list of whole numbers from 0 to 48")
    assert with_counts([48]) == "object 1: has no pixels"
    assert with_counts("é").startswith("object 1: counts is no compressed mask")
    assert with_counts("0000000000").startswith("object 1: counts must sum")
    assert refusal(declared, mask(height=7)) == "height must be that of the picture, 6"
    assert refusal(field(), mask(width=0)) == "width must be a whole number from 1 to 100000"
    assert refusal(field(), mask(width=100_000, height=100_000)).startswith("height and width must make at most")
    assert refusal(declared, []) == "must have height, width and objects, and nothing else"
    assert refusal(declared, mask() | {"objects": 3}) == "must be a list of objects"
    assert refusal(field(min_area=5), mask(("sky", block(0, 0, 2, 2)))) == "object 1: must have at least 5 pixels"


def test_each_pixel_has_one_object_where_that_is_asked():
    value = mask(("sky", block(0, 0, 3, 8)), ("road", block(2, 0, 6, 8)))

    assert refusal(field(), value) == "gives two objects the same pixel, the first at 2 down the columns"
    assert MASK.clean(field(exclusive=False), value) == value
    assert MASK.clean(field(exclusive=False, complete=True), value) == value
    gap = mask(("sky", block(0, 0, 2, 8)), ("road", block(3, 0, 6, 8)))
    assert MASK.clean(field(), gap) == gap
    assert refusal(field(complete=True), gap) == "must give each pixel of the picture to an object"
    assert refusal(field(complete=True), mask()).startswith("must have 1 to")
    twice = mask(("sky", block(0, 0, 1, 8)), ("sky", block(2, 0, 3, 8)))
    assert refusal(field(labels=LABELS), twice).startswith("has a label twice")


blocks_drawn = st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=300)
@given(st.lists(blocks_drawn, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_overlaps_and_gaps_are_found_as_on_plain_pixels(blocks, exclusive, complete):
    drawn = [block(top, left, top + high, left + wide) for top, left, high, wide in blocks]
    drawn.append(block(0, 0, 6, 8) & ~np.any(drawn, axis=0) if complete else block(0, 0, 1, 1))
    objects = [("car", pixels) for pixels in drawn if pixels.any()]
    count = np.sum([pixels for _, pixels in objects], axis=0)
    declared = field("instance", exclusive=exclusive, complete=complete)
    distinct = len({pixels.tobytes() for _, pixels in objects}) == len(objects)

    if distinct and not (exclusive and (count > 1).any()) and not (complete and (count == 0).any()):
        assert len(MASK.clean(declared, mask(*objects))["objects"]) == len(objects)
    else:
        assert refusal(declared, mask(*objects))


def test_instances_are_numbered_all_or_none_and_once():
    declared = field("instance")
    left, right = block(0, 0, 2, 2), block(0, 4, 2, 6)

    cleaned = MASK.clean(declared, mask(("car", right), ("car", left), ("sky", block(4, 0, 5, 1))))
    assert [(one["label"], one["instance"]) for one in cleaned["objects"]] == [("sky", 1), ("car", 1), ("car", 2)]
    assert MASK.clean(declared, mask(("car", left, 7), ("car", right, 3)))["objects"][0]["instance"] == 7
    assert refusal(declared, mask(("car", left, 7), ("car", right, 7))) == "has an instance of a label twice"
    assert refusal(declared, mask(("car", left, 7), ("car", right))).startswith("must have an instance for all")
    assert "instance must be" in refusal(declared, mask(("car", left, 0)))
    assert refusal(field(), mask(("car", left, 1))).endswith("and nothing else")


def test_declarations_of_masks_are_checked():
    def wrong(**options):
        with pytest.raises(FieldInvalid) as caught:
            field(**options)
        return {error.path for error in caught.value.errors}

    assert wrong(mode="panoptic") == wrong(mode=None) == wrong(mode=[]) == {"mode"}
    assert wrong(width=100_000, height=100_000) == {"width"}
    assert wrong(min_area=0) == {"min_area"}
    assert wrong(partial=True) == {"partial"}
    assert wrong(max=4) == {"max"}


def test_a_hundred_thousand_objects_or_runs_are_refused_soon():
    many = mask() | {"objects": [{"label": "car", "counts": [48]}] * 100_000}
    runs = mask(width=10_000, height=6_000) | {"objects": [{"label": "car", "counts": [1] * 600_000}]}
    begun = time.perf_counter()

    assert refusal(field("instance"), many) == "must have 0 to 50 objects"
    assert refusal(field("instance"), runs) == "must have at most 500000 runs in all"
    assert time.perf_counter() - begun < 5


# Agreement


def test_semantic_masks_agree_by_the_mean_overlap_of_their_labels():
    declared = field()
    key = mask(("sky", block(0, 0, 2, 8)), ("road", block(4, 0, 6, 8)))

    assert MASK.score(declared, key, key) == 1.0
    assert MASK.score(declared, key, mask(("sky", block(0, 0, 2, 8)))) == 0.5
    assert MASK.score(declared, key, mask(("sky", block(0, 0, 1, 8)), ("road", block(4, 0, 6, 8)))) == 0.75
    assert MASK.score(declared, mask(), mask()) == 1.0
    assert MASK.score(declared, mask(), key) == 0.0
    assert MASK.score(declared, key, mask(height=8, width=6)) == 0.0


def test_instances_agree_by_panoptic_quality():
    declared = field("instance")
    key = MASK.clean(declared, mask(("car", block(0, 0, 4, 4)), ("car", block(0, 5, 2, 8))))
    value = MASK.clean(
        declared, mask(("car", block(0, 0, 3, 4)), ("car", block(5, 5, 6, 8)), ("sky", block(5, 0, 6, 1)))
    )

    # One pair with an overlap of 3 / 4; one object of the key and two of the value are without a partner.
    assert MASK.score(declared, key, value) == pytest.approx(0.75 / (1 + 3 / 2))
    assert MASK.score(declared, value, key) == MASK.score(declared, key, value)
    assert MASK.score(declared, key, key) == 1.0


# Joining


def classes(seed, answers, labels=3, exclusive=True):
    rng = np.random.default_rng(seed)
    if exclusive:
        drawn = rng.integers(0, labels + 1, (answers, HEIGHT, WIDTH))
        drawn[1:] = np.where(rng.random((answers - 1, HEIGHT, WIDTH)) < 0.5, drawn[0], drawn[1:])
        return [[one == label for label in range(labels)] for one in drawn]
    return [[rng.random((HEIGHT, WIDTH)) < 0.4 for _ in range(labels)] for _ in range(answers)]


def said(planes):
    return mask(*[(label["value"], plane) for label, plane in zip(LABELS, planes, strict=True) if plane.any()])


@settings(max_examples=100)
@given(st.integers(0, 10**6), st.integers(1, 5), st.booleans())
def test_each_pixel_has_the_class_that_most_answers_give_it(seed, answers, exclusive):
    planes = classes(seed, answers, exclusive=exclusive)
    declared = field(exclusive=exclusive)
    values = [MASK.clean(declared, said(one)) for one in planes]
    votes = np.sum(planes, axis=0)

    found = pixels_of(outcome(declared, values).results[0].value)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            count = votes[:, row, column].tolist()
            has = {label for (label, _), pixels in found.items() if pixels[row, column]}
            if exclusive:
                best = max(range(3), key=lambda label, count=count: (count[label], -label))
                given_ = count[best] and count[best] >= answers - sum(count)
                assert has == ({LABELS[best]["value"]} if given_ else set())
            else:
                assert has == {LABELS[at]["value"] for at in range(3) if 2 * count[at] >= answers}


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 4), st.sampled_from(["pixel_majority", "staple"]),
       st.sampled_from(["semantic", "instance"]), st.randoms())  # fmt: skip
def test_masks_come_to_the_same_to_the_bit_whatever_the_order_of_answers(seed, answers, method, mode, chance):
    declared = field(mode)
    values = [MASK.clean(declared, said(one)) for one in classes(seed, answers)]
    first = outcome(declared, values, method)
    chance.shuffle(values)

    assert outcome(declared, values, method) == first
    assert first.method == method
    [found] = first.results
    assert 0 <= found.confidence <= 1
    assert MASK.clean(declared, found.value) == found.value
    assert len(found.objects) == len(found.value["objects"])


@pytest.mark.parametrize("mode", ["semantic", "instance"])
@pytest.mark.parametrize("method", ["pixel_majority", "staple"])
def test_unanimous_masks_are_the_result(mode, method):
    declared = field(mode)
    value = MASK.clean(declared, mask(("sky", block(0, 0, 2, 8)), ("car", block(3, 1, 5, 4))))

    [found] = outcome(declared, [value] * 3, method).results
    assert found.value == value
    assert found.confidence == pytest.approx(1.0, abs=1e-3)
    assert [(one.share, one.at_50, one.at_75) for one in found.objects] == [(1.0, 1.0, 1.0)] * 2
    assert outcome(declared, [mask()] * 2, method).results[0].value == mask()
    assert outcome(declared, [mask()] * 2, method).results[0].confidence == 1.0


def test_staple_trusts_those_who_agree_with_the_others():
    declared = field()
    rng = np.random.default_rng(5)
    shape = np.zeros((60, 60), dtype=bool)
    shape[10:50, 20:45] = True

    def with_errors(share):
        return mask(("car", shape ^ (rng.random(shape.shape) < share)), height=60, width=60)

    careful, careless = [with_errors(0.03) for _ in range(3)], [with_errors(0.45) for _ in range(4)]

    by_staple = outcome(declared, careful + careless, "staple")
    by_majority = outcome(declared, careful + careless)
    wanted = mask(("car", shape), height=60, width=60)
    assert by_staple.iterations > 1 and by_staple.converged
    assert MASK.score(declared, wanted, by_staple.results[0].value) > 0.9
    assert MASK.score(declared, wanted, by_majority.results[0].value) < 0.9


def test_instances_become_one_by_overlap_and_share_no_pixel():
    declared = field("instance", iou=0.3)
    values = [
        MASK.clean(declared, mask(("car", block(0, 0, 4, 4)), ("car", block(0, 4, 4, 8)))),
        MASK.clean(declared, mask(("car", block(0, 0, 4, 5)), ("car", block(0, 5, 4, 8)))),
        MASK.clean(declared, mask(("car", block(0, 0, 4, 4)), ("car", block(0, 4, 4, 8)), ("car", block(5, 0, 6, 1)))),
    ]

    for order in permutations(values):
        [found] = outcome(declared, order).results
        assert found.value == values[0]
        assert found.confidence == pytest.approx(2 / 3)
        assert [(one.share, one.at_75) for one in found.objects] == [(1.0, 1.0), (1.0, 1.0)]


def test_two_instances_that_want_a_pixel_do_not_both_get_it():
    declared = field("instance", exclusive=True, iou=0.1)
    value = MASK.clean(declared, mask(("car", block(0, 0, 4, 5))))
    other = MASK.clean(declared, mask(("sky", block(0, 4, 4, 8))))

    [found] = outcome(declared, [value, other]).results
    assert MASK.clean(declared, found.value) == found.value
    planes = pixels_of(found.value)
    assert planes["sky", 1].sum() + planes["car", 1].sum() == 32


def test_masks_of_another_size_are_left_out_and_lower_the_confidence():
    declared = field()
    value = mask(("sky", block(0, 0, 2, 8)))

    [found] = outcome(declared, [value, mask(height=3, width=3), value, value]).results
    assert (found.value, found.confidence, found.answers) == (value, 0.75, 4)
