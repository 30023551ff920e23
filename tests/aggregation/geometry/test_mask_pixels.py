"""Masks as run lengths and masks joined, against plain arrays, pycocotools and SimpleITK."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.geometry.pixels import Pieces, pixel_shares, staple
from marketplace.aggregation.geometry.runs import (
    area,
    canonical,
    compressed,
    counts_of,
    decompressed,
    frame,
    intervals,
    mask_dice,
    mask_of,
    mask_overlap,
    shared_pixels,
)


def drawn(seed, count=1, height=7, width=5, blobs=False):
    rng = np.random.default_rng(seed)
    if not blobs:
        return [rng.random((height, width)) < rng.random() for _ in range(count)]
    row, column = np.mgrid[:height, :width]
    middle = rng.uniform(0.3, 0.7, 2) * (height, width)
    reach = rng.uniform(0.15, 0.3) * height
    return [
        np.hypot(row - middle[0] - rng.normal(0, 2), column - middle[1] - rng.normal(0, 2)) < reach + rng.normal(0, 2)
        for _ in range(count)
    ]


seeds = st.integers(0, 10**6)


@settings(max_examples=300)
@given(seeds, st.integers(1, 9), st.integers(1, 9))
def test_run_lengths_hold_the_mask_and_measure_it(seed, height, width):
    one, other = drawn(seed, 2, height, width)
    counts, others = counts_of(one), counts_of(other)

    assert (mask_of(counts, height, width) == one).all()
    assert canonical(counts).tolist() == counts.tolist()
    assert area(counts) == one.sum()
    assert shared_pixels(counts, others) == (one & other).sum()
    united = (one | other).sum()
    assert mask_overlap(counts, others) == pytest.approx((one & other).sum() / united if united else 1, abs=1e-9)
    assert mask_dice(counts, others) == mask_dice(others, counts)
    starts, ends = intervals(counts)
    assert [at for start, end in zip(starts, ends, strict=True) for at in range(start, end)] == np.flatnonzero(
        one.ravel(order="F")
    ).tolist()
    if one.any():
        rows, columns = np.nonzero(one)
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert frame(counts, height).tolist() == edges


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_empty_runs_within_a_mask_change_nothing(counts):
    counts = np.array(counts)
    size = int(counts.sum())

    short = canonical(counts)
    assert (mask_of(short, 1, size) == mask_of(counts, 1, size)).all()
    assert (short[1:] > 0).all()
    assert short.tolist() == counts_of(mask_of(counts, 1, size)).tolist()


@settings(max_examples=200)
@given(seeds, st.integers(1, 40), st.integers(1, 40))
def test_the_compressed_string_is_that_of_pycocotools(seed, height, width):
    coco = pytest.importorskip("pycocotools.mask")
    mask = drawn(seed, 1, height, width)[0]
    judged = coco.encode(np.asfortranarray(mask.astype(np.uint8)))

    assert compressed(counts_of(mask)) == judged["counts"].decode()
    assert decompressed(judged["counts"].decode()).tolist() == counts_of(mask).tolist()
    assert area(counts_of(mask)) == coco.area(judged)


@given(seeds)
def test_the_overlap_of_masks_is_that_of_pycocotools(seed):
    coco = pytest.importorskip("pycocotools.mask")
    masks = drawn(seed, 2, 12, 9)
    judged = [coco.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
    if all(mask.any() for mask in masks):
        found = mask_overlap(*(counts_of(mask) for mask in masks))
        assert found == pytest.approx(float(coco.iou([judged[0]], [judged[1]], [0])[0, 0]), abs=1e-9)


@given(st.lists(st.integers(0, 2**26), min_size=1, max_size=30))
def test_any_run_lengths_survive_compression(counts):
    assert decompressed(compressed(np.array(counts))).tolist() == counts


@pytest.mark.parametrize("text", ["", "P", "é0", "0 0", "PPPPPPPPPPPP0", "O", "\x00"])
def test_what_is_no_compressed_mask_is_refused(text):
    with pytest.raises(ValueError, match="is no compressed mask"):
        decompressed(text)


@given(st.text(max_size=40))
def test_no_text_at_all_breaks_the_reader(text):
    try:
        assert (decompressed(text) >= 0).all()
    except ValueError as refused:
        assert "is no compressed mask" in str(refused)


# Joining


@settings(max_examples=100)
@given(seeds, st.integers(1, 5))
def test_majority_by_pieces_is_majority_by_pixels(seed, count):
    masks = drawn(seed, count)
    pieces = Pieces.of([counts_of(mask) for mask in masks])

    joined = pieces.counts(pixel_shares(pieces) >= 0.5)
    assert (mask_of(joined, 7, 5) == (np.mean(masks, axis=0) >= 0.5)).all()
    assert int(pieces.length.sum()) == 35


def staple_by_pixels(masks, iterations):
    """Warfield's algorithm as the paper states it, one pixel after the other."""
    votes = [[bool(mask.ravel()[at]) for mask in masks] for at in range(masks[0].size)]
    prior = sum(map(sum, votes)) / (len(votes) * len(masks))
    weight = [sum(row) / len(row) for row in votes]
    for _ in range(iterations):
        inside, outside = sum(weight), sum(1 - one for one in weight)
        p = [sum(w for w, row in zip(weight, votes, strict=True) if row[j]) / inside for j in range(len(masks))]
        q = [
            sum(1 - w for w, row in zip(weight, votes, strict=True) if not row[j]) / outside for j in range(len(masks))
        ]
        p, q = ([min(max(one, 1e-6), 1 - 1e-6) for one in each] for each in (p, q))
        for at, row in enumerate(votes):
            yes, no = prior, 1 - prior
            for j, vote in enumerate(row):
                yes *= p[j] if vote else 1 - p[j]
                no *= 1 - q[j] if vote else q[j]
            weight[at] = yes / (yes + no)
    return weight, p, q


@settings(max_examples=50)
@given(seeds, st.integers(2, 5))
def test_staple_is_what_the_paper_says_pixel_by_pixel(seed, count):
    masks = drawn(seed, count)
    if len({bool(one) for mask in masks for one in mask.ravel()}) < 2:
        return
    pieces = Pieces.of([counts_of(mask) for mask in masks])
    found = staple(pieces, iterations_max=6)
    weight, p, q = staple_by_pixels(masks, found.iterations)

    by_pixel = np.repeat(found.posterior, pieces.length).reshape((7, 5), order="F").ravel()
    assert by_pixel == pytest.approx(weight, abs=1e-6)
    assert found.sensitivity == pytest.approx(p, abs=1e-6)
    assert found.specificity == pytest.approx(q, abs=1e-6)


@settings(max_examples=100)
@given(seeds, st.integers(1, 6))
def test_staple_never_lowers_the_likelihood_and_says_whether_it_came_to_rest(seed, count):
    found = staple(Pieces.of([counts_of(mask) for mask in drawn(seed, count, 20, 20, blobs=True)]))

    assert (np.diff(found.log_likelihood) >= -1e-6).all()
    assert found.converged or found.iterations == 200
    assert ((found.posterior >= 0) & (found.posterior <= 1)).all()


def test_staple_agrees_with_simpleitk():
    itk = pytest.importorskip("SimpleITK")
    for seed in range(5):
        masks = drawn(seed, 5, 60, 60, blobs=True)
        masks[4] = np.roll(masks[4], 9, axis=0)
        pieces = Pieces.of([counts_of(mask) for mask in masks])
        found = staple(pieces)
        judge = itk.STAPLEImageFilter()
        judge.SetForegroundValue(1)
        judged = itk.GetArrayFromImage(judge.Execute([itk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]))

        ours = np.repeat(found.posterior, pieces.length).reshape((60, 60), order="F")
        assert ((ours >= 0.5) == (judged >= 0.5)).mean() > 0.999
        assert found.sensitivity == pytest.approx(judge.GetSensitivity(), abs=0.02)
        assert found.specificity == pytest.approx(judge.GetSpecificity(), abs=0.02)


def test_masks_on_which_all_agree_are_the_result_and_empty_ones_too():
    mask = counts_of(drawn(3, 1, 20, 20, blobs=True)[0])
    for chosen in ([mask] * 3, [np.array([400])] * 3, [np.array([0, 400])] * 2, [mask]):
        pieces = Pieces.of(chosen)
        found = staple(pieces)
        assert pieces.counts(found.posterior >= 0.5).tolist() == chosen[0].tolist()
        assert found.converged


def test_masks_of_different_sizes_cannot_be_joined():
    with pytest.raises(ValueError, match="different numbers of pixels"):
        Pieces.of([np.array([4]), np.array([5])])
    with pytest.raises(ValueError, match="no masks"):
        Pieces.of([])
