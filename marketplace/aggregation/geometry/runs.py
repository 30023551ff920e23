"""Masks as run lengths, COCO's form: down the columns, in turn out of the shape and in it, beginning with out of it.

`counts` is always an array of whole numbers (n,) that sum to height x width. In its canonical form only the first of
them may be 0 and no run but the first is out of order, so that equal masks have equal counts.
"""

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def counts_of(mask: NDArray[np.bool_]) -> Counts:
    """Run lengths of a mask (height, width), canonical."""
    pixels = np.asarray(mask, dtype=bool).ravel(order="F")
    changes = np.flatnonzero(pixels != np.concatenate([[False], pixels[:-1]])[: len(pixels)])
    return np.diff(np.concatenate([[0], changes, [len(pixels)]])).astype(np.int64)


def mask_of(counts: Counts, height: int, width: int) -> NDArray[np.bool_]:
    """The mask (height, width) of run lengths. Raises `ValueError` if they do not sum to its pixels."""
    if int(counts.sum()) != height * width:
        raise ValueError(f"the counts sum to {int(counts.sum())} instead of {height} x {width} pixels")
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape((height, width), order="F")


def canonical(counts: Counts) -> Counts:
    """The same mask without empty runs inside it: runs on both sides of an empty one become one."""
    inside = np.arange(len(counts)) % 2 == 1
    filled = counts > 0
    counts, inside = counts[filled], inside[filled]
    if not len(counts):
        return np.zeros(1, dtype=np.int64)
    first = np.flatnonzero(np.concatenate([[True], inside[1:] != inside[:-1]]))
    merged = np.add.reduceat(counts, first)
    return np.concatenate([[0], merged]) if inside[0] else merged


def intervals(counts: Counts) -> tuple[Counts, Counts]:
    """Where the runs in the shape begin and where they end (not included), in pixels from the upper left, down the
    columns: two of (k,)."""
    ends = np.cumsum(counts)
    return ends[:-1:2], ends[1::2]


def area(counts: Counts) -> int:
    """How many pixels the shape has."""
    return int(counts[1::2].sum())


def shared_pixels(one: Counts, other: Counts) -> int:
    """How many pixels two masks of one size share, without unpacking them."""
    ends = np.concatenate([[0], np.cumsum(other)])
    covered = np.concatenate([[0], np.cumsum(np.where(np.arange(len(other)) % 2 == 1, other, 0))])
    starts, stops = intervals(one)
    # On the line between two known sums, which whole numbers below 2**53 hold exactly.
    return int(np.sum(np.interp(stops, ends, covered) - np.interp(starts, ends, covered)))


def mask_overlap(one: Counts, other: Counts) -> float:
    """Intersection over union of two masks of one size: 0 … 1, rounded to nine digits; 1 where both are empty."""
    shared = shared_pixels(one, other)
    united = area(one) + area(other) - shared
    return round(shared / united, 9) if united else 1.0


def mask_dice(one: Counts, other: Counts) -> float:
    """Dice's coefficient of two masks of one size, twice the shared pixels over all of both; 1 where both are empty.

    Source: Dice (1945), doi:10.2307/1932409.
    """
    both = area(one) + area(other)
    return round(2 * shared_pixels(one, other) / both, 9) if both else 1.0


def frame(counts: Counts, height: int) -> NDArray[np.float64]:
    """left, top, right and bottom of the pixels in the shape, which must have some: (4,); a pixel is 1 wide."""
    starts, stops = intervals(counts)
    first, last = starts // height, (stops - 1) // height
    top, bottom = starts % height, (stops - 1) % height
    # A run that goes on in the next column reaches from the top to the bottom.
    over = last > first
    edges = (first.min(), np.where(over, 0, top).min(), last.max() + 1, np.where(over, height - 1, bottom).max() + 1)
    return np.array(edges, dtype=np.float64)


def decompressed(text: str) -> Counts:
    """Run lengths of COCO's compressed string. Raises `ValueError` for what is none.

    Each number is written in digits of five bits, the lowest first, as characters from "0" on; the sixth bit says that
    another follows, and the highest bit of the last is the sign. From the fourth number on, what is written is the
    difference to the number before the last.
    Source: https://github.com/cocodataset/cocoapi, rleToString.
    """
    try:
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        raise ValueError("is no compressed mask: it holds other characters than COCO writes") from None
    if not len(codes) or codes.min() < 0 or codes.max() > 63:
        raise ValueError("is no compressed mask: it holds other characters than COCO writes")
    last = (codes & 32) == 0
    if not last[-1]:
        raise ValueError("is no compressed mask: it ends within a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 9:
        raise ValueError("is no compressed mask: it holds a number that no picture needs")
    numbers = np.add.reduceat((codes & 31) << (5 * place), starts)
    numbers -= np.where(codes[ends] & 16, np.int64(1) << (5 * (place[ends] + 1)), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    if numbers.min() < 0:
        raise ValueError("is no compressed mask: it holds a run of negative length")
    return numbers


def compressed(counts: Counts) -> str:
    """COCO's compressed string of run lengths; `decompressed` reads it."""
    written = counts.astype(np.int64)
    written[3:] -= counts[1:-2]
    text = []
    for number in written.tolist():
        while True:
            digit = number & 31
            number >>= 5
            more = number != (-1 if digit & 16 else 0)
            text.append(chr(48 + digit + 32 * more))
            if not more:
                break
    return "".join(text)
