"""Own PNG files, run lengths and filled outlines, against libraries that read and measure them."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.projects.answer_types.parts import Mask
from marketplace.results.writers.png import color_png, grey_png, label_colors, palette_png
from marketplace.results.writers.raster import area, filled, mask_pixels, pixel_bounds, run_lengths
from tests.results.formats.sample import OUTLINE, mask_of

PICTURES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1)).map(
    lambda given: np.random.default_rng(given[2]).integers(0, 256, given[:2])
)


@settings(max_examples=30)
@given(PICTURES)
def test_a_png_reads_back_as_the_pixels_it_was_made_of(pixels):
    image = pytest.importorskip("PIL.Image")
    colors = label_colors(256)

    paletted = image.open(io.BytesIO(palette_png(pixels.astype(np.uint8), colors)))
    deep = image.open(io.BytesIO(grey_png((pixels * 257).astype(np.uint16))))
    colored = image.open(io.BytesIO(color_png(np.stack([pixels, 255 - pixels, pixels // 2], axis=-1).astype(np.uint8))))

    assert np.array_equal(np.asarray(paletted), pixels)
    assert paletted.getpalette()[: 3 * 256] == [part for color in colors for part in color]
    assert np.array_equal(np.asarray(deep), pixels * 257)
    assert np.array_equal(np.asarray(colored)[:, :, 1], 255 - pixels)


def test_a_pixel_beyond_the_palette_is_refused():
    with pytest.raises(ValueError, match="beyond the palette"):
        palette_png(np.array([[2]], dtype=np.uint8), label_colors(2))


def test_the_first_label_colors_are_those_of_the_development_kit():
    assert label_colors(4) == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]


@settings(max_examples=50)
@given(PICTURES)
def test_masks_and_their_run_lengths_are_those_of_pycocotools(pixels):
    judge = pytest.importorskip("pycocotools.mask")
    on = pixels < 128
    mask = mask_of("a", on)

    packed = judge.frPyObjects({"counts": list(mask.counts), "size": [mask.height, mask.width]}, *on.shape)

    assert np.array_equal(judge.decode(packed).astype(bool), on)
    assert np.array_equal(mask_pixels(mask), on)
    assert sum(mask.counts[1::2]) == judge.area(packed)
    assert list(pixel_bounds(on)) == judge.toBbox(packed).astype(int).tolist() or not on.any()


def test_runs_that_do_not_make_up_the_picture_are_refused():
    with pytest.raises(ValueError, match="add up"):
        mask_pixels(Mask("a", 2, 2, (1, 2)))


def test_run_lengths_begin_with_those_that_are_off():
    assert run_lengths(np.array([True, True, False])) == [0, 2, 1]
    assert run_lengths(np.array([], dtype=bool)) == []


def test_a_filled_outline_has_the_pixels_whose_middle_is_inside():
    shapely = pytest.importorskip("shapely")
    shape = shapely.Polygon(OUTLINE)
    middles = [[shape.contains(shapely.Point(x + 0.5, y + 0.5)) for x in range(60)] for y in range(40)]

    assert np.array_equal(filled(OUTLINE, 40, 60), np.array(middles))
    assert area(OUTLINE) == shape.area


def test_outlines_that_share_an_edge_share_no_pixel_and_leave_none_between():
    left = filled(((0, 0), (3.3, 0), (6.7, 8), (0, 8)), 8, 10)
    right = filled(((3.3, 0), (10, 0), (10, 8), (6.7, 8)), 8, 10)

    assert not (left & right).any()
    assert (left | right).all()


def test_an_outline_that_reaches_out_of_the_picture_is_cut_off():
    assert filled(((-5, -5), (2, -5), (2, 2), (-5, 2)), 4, 4).sum() == 4
