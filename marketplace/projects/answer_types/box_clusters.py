"""One list of boxes out of those of several answers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.projects.answer_types.base import Field, FieldResult

DIGITS = 2


@dataclass(frozen=True)
class _Cluster:
    support: int
    box: dict[str, Any]


def clustered(
    task: int, values: Sequence[Sequence[Mapping[str, Any]]], field: Field, order: Mapping[str, int]
) -> FieldResult:
    """The boxes that at least half of the answers have, as `Boxes.aggregate` says."""
    labels = {box["label"] for value in values for box in value}
    # Labels that only an earlier version declared come last, in their sorted order.
    place = dict(order) | {label: len(order) + at for at, label in enumerate(sorted(labels - order.keys()))}

    def position(box: Mapping[str, Any]) -> tuple[Any, ...]:
        return place[box["label"]], box["y"], box["x"], box["height"], box["width"]

    clusters = [
        cluster for label in sorted(labels, key=place.__getitem__) for cluster in _clusters(label, values, field["iou"])
    ]
    clusters.sort(key=lambda cluster: (-cluster.support, position(cluster.box)))
    supported = sum(2 * cluster.support >= len(values) for cluster in clusters)
    taken = min(max(supported, field["min"]), field["max"], len(clusters))
    having = [cluster.support / len(values) for cluster in clusters]
    agreed = having[:taken] + [1 - share for share in having[taken:]]
    result = sorted((cluster.box for cluster in clusters[:taken]), key=position)
    return FieldResult(task, result, min(agreed, default=1.0), len(values))


def _clusters(label: str, values: Sequence[Sequence[Mapping[str, Any]]], least: float) -> list[_Cluster]:
    """All boxes of one label in clusters, at most one of each answer in each.

    The box that most answers have something like begins (of equals the one that overlaps most in all, then the upper,
    left, smaller one); from each other answer comes the box that overlaps it most, if by `least` at all. So on with
    what is left.
    """
    found = [(answer, box) for answer, value in enumerate(values) for box in value if box["label"] == label]
    # By position, not by answer: the same boxes in answers of another order give the same clusters.
    found.sort(key=lambda entry: (entry[1]["y"], entry[1]["x"], entry[1]["height"], entry[1]["width"]))
    answer = np.array([at for at, _ in found])
    edges = np.array(
        [(box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]) for _, box in found], dtype=np.float64
    )
    support, closeness = _support(edges, answer, least)
    free = np.ones(len(found), dtype=bool)
    clusters = []
    for seed in np.lexsort((np.arange(len(found)), -closeness, -support)).tolist():
        if not free[seed]:
            continue
        overlap = np.where(free, _overlaps(edges, seed), 0.0)
        overlap[answer == answer[seed]] = 0.0
        overlap[seed] = 1.0
        members: list[int] = []
        near = np.flatnonzero(overlap >= least)
        for at in near[np.argsort(-overlap[near], kind="stable")].tolist():
            if not any(answer[at] == answer[member] for member in members):
                members.append(at)
        free[members] = False
        clusters.append(_Cluster(len(members), _median_box(label, edges[members])))
    return clusters


def _support(
    edges: NDArray[np.float64], answer: NDArray[np.intp], least: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """For each box, in how many answers there is one like it, its own included, and how much those overlap it."""
    support = np.zeros(len(edges), dtype=np.intp)
    closeness = np.zeros(len(edges))
    for at in range(len(edges)):
        overlap = _overlaps(edges, at)
        near = overlap >= least
        support[at] = len(np.unique(answer[near]))
        # Rounded, so that the order of addition decides nothing.
        closeness[at] = round(math.fsum(overlap[near].tolist()), 9)
    return support, closeness


def _overlaps(edges: NDArray[np.float64], at: int) -> NDArray[np.float64]:
    """Intersection over union of one box with each: (n,)."""
    corner = np.minimum(edges[:, 2:], edges[at, 2:]) - np.maximum(edges[:, :2], edges[at, :2])
    shared = np.prod(np.maximum(corner, 0.0), axis=1)
    areas = np.prod(edges[:, 2:] - edges[:, :2], axis=1)
    return np.asarray(shared / (areas + areas[at] - shared))


def _median_box(label: str, edges: NDArray[np.float64]) -> dict[str, Any]:
    left, top, right, bottom = np.median(edges, axis=0).tolist()
    sides = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {"label": label} | {name: _plain(round(number, DIGITS)) for name, number in sides.items()}


def _plain(number: float) -> int | float:
    return int(number) if math.floor(number) == number else number
