"""Two answers that mark or say something, part by part: overlap, F1, error rates, and which labels were confused."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.agreement.overlap import paired, stretch_overlaps
from marketplace.aggregation.agreement.sequences import error_rate, span_f1
from marketplace.aggregation.geometry.polygons import polygon_overlap
from marketplace.aggregation.geometry.rectangles import overlaps
from marketplace.aggregation.geometry.runs import mask_overlap
from marketplace.projects.answer_types.parts import Box, Class, Mask, Part, Polygon, Segment, Span, Text

Table = NDArray[np.float64]
# More marks than this in one answer are not compared one by one: their number alone says that something is odd.
MARKS_MAX = 1_000
# Longer texts are compared up to here.
CHARACTERS_MAX = 4_000


@dataclass
class Beside:
    """Two answers beside each other.

    measures  by name, 0 … 1; more is better, but for those whose name ends with `error_rate`
    both      by label, how often both have it
    either    by label, how often the one and the other have it, added up
    confused  labels that stand at the same place in one answer and in the other, each pair in sorted order
    """

    measures: dict[str, float] = field(default_factory=dict)
    both: Counter[str] = field(default_factory=Counter)
    either: Counter[str] = field(default_factory=Counter)
    confused: Counter[tuple[str, str]] = field(default_factory=Counter)


def beside(one: Sequence[Part], other: Sequence[Part]) -> Beside:
    """Compare two answers by their parts.

    `iou` and `dice` are means over the marks of both, those with no like counting 0, and `f1_50` is the F1 of those of
    one label whose IoU is at least 0.5. `span_f1` is exact. Word and character error rates are by the longer text.
    A measure is left out where neither answer has such parts, or they are too many to be compared one by one.
    """
    found = Beside()
    if max(len(one), len(other)) > MARKS_MAX:
        return found
    labels = Counter(_labels(one)), Counter(_labels(other))
    found.both, found.either = labels[0] & labels[1], labels[0] + labels[1]
    for kind, overlap in PLACES.items():
        left, right = _of(one, kind), _of(other, kind)
        if left or right:
            _compare(found, left, right, overlap)
            break
    spans = [[(part.label, part.start, part.end, part.of) for part in side if isinstance(part, Span)]
             for side in (one, other)]  # fmt: skip
    if any(spans):
        found.measures["span_f1"] = span_f1(*spans)
    texts = [_text(one), _text(other)]
    if any(texts):
        found.measures["word_error_rate"] = error_rate(texts[0].split(), texts[1].split())
        found.measures["character_error_rate"] = error_rate(texts[0], texts[1])
    return found


def _compare(
    found: Beside, left: list[Part], right: list[Part], overlap: Callable[[list[Part], list[Part]], Table]
) -> None:
    table = overlap(left, right)
    same = np.array([[_label(a) == _label(b) for b in right] for a in left], dtype=bool).reshape(table.shape)
    # Everything of one label that meets is paired for the mean, however little it overlaps.
    near = paired(np.where(same, table, 0.0), least=1e-9)
    found.measures["iou"], found.measures["dice"] = near.mean_overlap(), near.mean_dice()
    close = paired(np.where(same, table, 0.0))
    found.measures["f1_50"] = close.f1()
    # What has no like of its own label may have one of another at the same place.
    rest = np.zeros_like(table)
    rest[np.ix_(close.only_one, close.only_other)] = table[np.ix_(close.only_one, close.only_other)]
    for a, b, _ in paired(rest).pairs:
        low, high = sorted((_label(left[a]), _label(right[b])))
        found.confused[low, high] += 1


def _boxes(left: list[Part], right: list[Part]) -> Table:
    edges = [
        np.array(
            [(part.x, part.y, part.x + part.width, part.y + part.height) for part in side if isinstance(part, Box)],
            dtype=np.float64,
        ).reshape(-1, 4)
        for side in (left, right)
    ]
    return overlaps(edges[0][:, None, :], edges[1][None, :, :])


def _polygons(left: list[Part], right: list[Part]) -> Table:
    points = [[np.array(part.points, np.float64) for part in side if isinstance(part, Polygon)]
              for side in (left, right)]  # fmt: skip
    return _table(points, polygon_overlap)


def _masks(left: list[Part], right: list[Part]) -> Table:
    runs = [[np.array(part.counts, np.int64) for part in side if isinstance(part, Mask)] for side in (left, right)]
    sizes = {int(counts.sum()) for side in runs for counts in side}
    # Masks of two sizes have no pixels in common to be counted.
    return _table(runs, mask_overlap) if len(sizes) < 2 else np.zeros((len(left), len(right)))


def _spans(left: list[Part], right: list[Part]) -> Table:
    stretches = [[(part.start, part.end) for part in side if isinstance(part, Span)] for side in (left, right)]
    table = stretch_overlaps(*stretches)
    fields = [[part.of for part in side if isinstance(part, Span)] for side in (left, right)]
    same = np.array([[a == b for b in fields[1]] for a in fields[0]], dtype=bool).reshape(table.shape)
    return np.where(same, table, 0.0)


def _segments(left: list[Part], right: list[Part]) -> Table:
    stretches = [[(part.start, part.end) for part in side if isinstance(part, Segment)] for side in (left, right)]
    return stretch_overlaps(*stretches)


PLACES: dict[type[Part], Callable[[list[Part], list[Part]], Table]] = {
    Box: _boxes,
    Polygon: _polygons,
    Mask: _masks,
    Span: _spans,
    Segment: _segments,
}


def _table(sides: Sequence[Sequence[NDArray[np.generic]]], overlap: Callable[..., float]) -> Table:
    return np.array([[overlap(a, b) for b in sides[1]] for a in sides[0]], dtype=np.float64).reshape(
        len(sides[0]), len(sides[1])
    )


def _of(parts: Sequence[Part], kind: type[Part]) -> list[Part]:
    # A segment that only says what is spoken marks nothing.
    return [part for part in parts if isinstance(part, kind) and (not isinstance(part, Segment) or part.label)]


def _label(part: Part) -> str:
    return str(getattr(part, "label", ""))


def _labels(parts: Iterable[Part]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if isinstance(part, Class):
            found += part.labels
        elif label := _label(part):
            found.append(label)
    return found


def _text(parts: Sequence[Part]) -> str:
    said = [part.text for part in parts if isinstance(part, Text | Segment) and part.text]
    return " ".join(said)[:CHARACTERS_MAX]


def summed(pairs: Iterable[Beside]) -> tuple[Counter[str], Counter[str], Counter[tuple[str, str]]]:
    """The counts of many comparisons together: both, either, confused."""
    totals: tuple[Counter[str], Counter[str], Counter[tuple[str, str]]] = Counter(), Counter(), Counter()
    for pair in pairs:
        totals[0].update(pair.both)
        totals[1].update(pair.either)
        totals[2].update(pair.confused)
    return totals


def by_measure(pairs: Sequence[Beside]) -> dict[str, NDArray[np.float64]]:
    """For each measure that any comparison has, its figure of every one, NaN where that has it not."""
    found: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.full(len(pairs), np.nan))
    for at, pair in enumerate(pairs):
        for name, figure in pair.measures.items():
            found[name][at] = figure
    return dict(sorted(found.items()))
