"""Skeletons as a requester declares them: the names of a label's points and which of them are joined."""

from collections.abc import Mapping
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.declaration import NAME, Declaration

POINTS_MAX = 200
EDGES_MAX = 500
# Twice the sigma of COCO, whose own reach from 0.05 for eyes to 0.21 for hips.
SPREAD_DEFAULT = 0.1


def read_skeletons(read: Declaration, field: Field, labels: list[str]) -> dict[str, dict[str, Any]]:
    """Under `skeletons` for each label its `points` (1 to 200 names, in order), its `edges` (pairs of names), and
    `spread`: how far people differ about each point, as a share of the object's size (0.1), by name."""
    raw = field.get("skeletons")
    if not isinstance(raw, Mapping) or set(raw) != set(labels):
        read.refuse("skeletons", "must be an object that has the skeleton of each label, and no others")
        return {}
    skeletons = {}
    for label in labels:
        if not isinstance(raw[label], Mapping):
            read.refuse(f"skeletons.{label}", "must be an object with points and edges")
            continue
        inner = Declaration(raw[label], ("points", "edges", "spread"), path=f"skeletons.{label}.")
        points = _points(inner, raw[label].get("points"))
        skeletons[label] = {
            "points": points,
            "edges": _edges(inner, raw[label].get("edges"), points),
            "spread": _spread(inner, raw[label].get("spread"), points),
        }
        read.errors += inner.errors
    return skeletons


def _points(read: Declaration, raw: Any) -> list[str]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= POINTS_MAX:
        read.refuse("points", f"must be a list of 1 to {POINTS_MAX} names")
        return []
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in raw):
        read.refuse("points", "must be names of letters, digits and underscores, each beginning with a letter")
        return []
    if len(set(raw)) < len(raw):
        read.refuse("points", "has the same name twice")
    return list(raw)


def _edges(read: Declaration, raw: Any, points: list[str]) -> list[list[str]]:
    if raw is None:
        return []
    if not isinstance(raw, list) or len(raw) > EDGES_MAX:
        read.refuse("edges", f"must be a list of at most {EDGES_MAX} pairs of points")
        return []
    edges: list[list[str]] = []
    for at, edge in enumerate(raw):
        named = isinstance(edge, list) and len(edge) == 2 and all(isinstance(end, str) for end in edge)
        if not named or not set(edge) <= set(points) or edge[0] == edge[1]:
            read.refuse(f"edges[{at}]", "must be a pair of two points of the skeleton")
        elif edge in edges or edge[::-1] in edges:
            read.refuse(f"edges[{at}]", "joins two points that are joined already")
        else:
            edges.append(list(edge))
    return edges


def _spread(read: Declaration, raw: Any, points: list[str]) -> dict[str, int | float]:
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping) or not set(raw) <= set(points):
        read.refuse("spread", "must be an object of numbers by the names of points")
        return {}
    inner = Declaration(raw, raw)
    spread = {}
    for name in points:
        number = inner.number(name) if inner.has(name) else SPREAD_DEFAULT
        if number is None or not 0.01 <= number <= 1:
            read.refuse(f"spread.{name}", "must be a number from 0.01 to 1")
        else:
            spread[name] = number
    return spread
