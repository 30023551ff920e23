"""One mask out of those of several answers."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from marketplace.aggregation.geometry.pixels import Pieces
from marketplace.aggregation.geometry.runs import area
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ObjectSupport
from marketplace.projects.answer_types.mask.classes import joined_classes
from marketplace.projects.answer_types.mask.objects import MaskKind, counts_array
from marketplace.projects.answer_types.mask.reading import numbered_by_label
from marketplace.projects.answer_types.shapes.consensus import Thing, joined


def joined_masks(field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
    """One mask for each task that has answers.

    Answers that state another size of the picture than most (of equals the smaller one) are of another picture: they
    are left out, and lower the confidence by their share. In the mode `instance` a pixel that two objects of the result
    would share goes to the one that more answers have, of equals the first, where each pixel is of one object at most;
    an object that has too few pixels left is left out.
    """
    by_task: defaultdict[int, list[Any]] = defaultdict(list)
    for task, value in zip(answers.task, answers.value, strict=True):
        by_task[task].append(value)
    results, iterations, converged = [], 0, True
    for task in sorted(by_task):
        values = by_task[task]
        sizes = Counter((value["height"], value["width"]) for value in values)
        height, width = min(sizes, key=lambda size: (-sizes[size], size))
        fitting = [value for value in values if (value["height"], value["width"]) == (height, width)]
        join = joined_classes if field["mode"] == "semantic" else _joined_objects
        result, steps, rested = join(field, task, fitting, height, width, by_staple=method == "staple")
        share = len(fitting) / len(values)
        results.append(replace(result, confidence=result.confidence * share, answers=len(values)))
        iterations, converged = max(iterations, steps), converged and rested
    return FieldOutcome(method, results, iterations, converged)


def _joined_objects(
    field: Field, task: int, values: Sequence[Any], height: int, width: int, *, by_staple: bool
) -> tuple[FieldResult, int, bool]:
    kind = MaskKind(height, by_staple=by_staple)
    table = AnswerTable([0] * len(values), range(len(values)), [value["objects"] for value in values], 1)
    [found] = joined(kind, field, table, field["iou"], "").results
    objects = found.value
    if field["exclusive"]:
        objects = _apart(objects, found.objects)
    kept = [at for at, one in enumerate(objects) if area(counts_array(one)) >= field["min_area"]]
    # What an object lost may have changed its place among those of its label, which still come together.
    labels = list(dict.fromkeys(one["label"] for one in objects))
    kept.sort(key=lambda at: (labels.index(objects[at]["label"]), objects[at]["counts"]))
    value = {"height": height, "width": width, "objects": numbered_by_label([objects[at] for at in kept])}
    result = FieldResult(task, value, found.confidence, len(values), tuple(found.objects[at] for at in kept))
    iterations = max((run.iterations for run in kind.found), default=0)
    return result, iterations, all(run.converged for run in kind.found)


def _apart(objects: Sequence[Thing], support: Sequence[ObjectSupport]) -> list[Thing]:
    """The objects without the pixels that better supported ones have, or earlier ones of equal support."""
    if len(objects) < 2:
        return list(objects)
    pieces = Pieces.of([counts_array(one) for one in objects])
    rank = np.argsort([-one.share for one in support], kind="stable")
    ranked = pieces.inside[:, rank]
    first = np.argmax(ranked, axis=1)
    mine = ranked & (np.arange(len(objects)) == first[:, None])
    found: list[Thing] = list(objects)
    for place, at in enumerate(rank.tolist()):
        found[at] = {**objects[at], "counts": pieces.counts(mine[:, place]).tolist()}
    return found
