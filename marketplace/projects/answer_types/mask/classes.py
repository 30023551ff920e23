"""The class of each pixel out of what several answers say."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.pixels import Pieces, pixel_shares, staple
from marketplace.aggregation.geometry.runs import area, mask_overlap
from marketplace.projects.answer_types.base import Field, FieldResult, ObjectSupport
from marketplace.projects.answer_types.mask.objects import counts_array
from marketplace.projects.answer_types.shapes.consensus import Thing
from marketplace.projects.answer_types.shapes.values import label_order

THRESHOLDS = (0.5, 0.5, 0.75)


def joined_classes(
    field: Field, task: int, values: Sequence[Any], height: int, width: int, *, by_staple: bool
) -> tuple[FieldResult, int, bool]:
    """One semantic mask out of several of one size, with the iterations that it took and whether they converged.

    A pixel is of a class where at least half of the answers say so, or with `by_staple` where that is as probable as
    not. Where each pixel has one class at most, it has the class that most say, of equals the first declared, unless
    more say that it has none. Confidence is the share of answers (with `by_staple` the probability) that each pixel is
    of the class or not, as the result has it, on the average of the pixels that any answer gives the class.
    """
    order = label_order(field)
    said = {thing["label"] for value in values for thing in value["objects"]}
    labels = sorted(said, key=lambda label: (order.get(label, len(order)), label))
    # Sorted, so that the order of the answers decides nothing, down to the last bit of a sum.
    empty = np.array([height * width], dtype=np.int64)
    answers = sorted(
        ({thing["label"]: thing for thing in value["objects"]} for value in values),
        key=lambda by_label: [by_label[label]["counts"] if label in by_label else [] for label in labels],
    )
    if not labels:
        return FieldResult(task, _value(height, width, []), 1.0, len(values)), 0, True
    masks = [counts_array(one[label]) if label in one else empty for one in answers for label in labels]
    pieces = Pieces.of(masks)
    inside = pieces.inside.reshape(len(pieces.length), len(answers), len(labels))
    of_label = [Pieces(pieces.length, inside[:, :, at]) for at in range(len(labels))]
    runs = [staple(one) for one in of_label] if by_staple else []
    sure = np.stack([run.posterior for run in runs] or [pixel_shares(one) for one in of_label], axis=1)
    chosen = _chosen(sure, exclusive=field["exclusive"], complete=field["complete"], by_staple=by_staple)
    marked = inside.any(axis=1) * pieces.length[:, None]
    confidence = float(np.sum(marked * np.where(chosen, sure, 1 - sure)) / np.sum(marked))
    objects, support = [], []
    for at, label in enumerate(labels):
        counts = pieces.counts(chosen[:, at])
        if area(counts) >= field["min_area"]:
            objects.append({"label": label, "counts": counts.tolist()})
            support.append(_support(counts, masks[at :: len(labels)]))
    result = FieldResult(task, _value(height, width, objects), min(confidence, 1.0), len(values), tuple(support))
    return result, max((run.iterations for run in runs), default=0), all(run.converged for run in runs)


def _chosen(sure: NDArray[np.float64], *, exclusive: bool, complete: bool, by_staple: bool) -> NDArray[np.bool_]:
    """Which classes each piece has: (n_pieces, n_labels)."""
    if not exclusive:
        return sure >= 0.5
    best = np.argmax(sure, axis=1)  # the first of equals
    most = sure[np.arange(len(sure)), best]
    none = np.full(len(sure), 0.5) if by_staple else 1 - sure.sum(axis=1)
    # Rounded, as shares of three answers do not sum to 1 exactly.
    has = (most > 0) & (complete | (np.round(most - none, 9) >= 0))
    return (np.arange(sure.shape[1]) == best[:, None]) & has[:, None]


def _support(counts: NDArray[np.int64], masks: Sequence[NDArray[np.int64]]) -> ObjectSupport:
    likeness = [mask_overlap(counts, mask) for mask in masks]
    return ObjectSupport(*(sum(one >= threshold for one in likeness) / len(masks) for threshold in THRESHOLDS))


def _value(height: int, width: int, objects: Sequence[Thing]) -> dict[str, Any]:
    return {"height": height, "width": width, "objects": list(objects)}
