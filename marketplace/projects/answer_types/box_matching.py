"""Which boxes of two lists are the same."""

from collections.abc import Mapping, Sequence
from typing import Any

Box = Mapping[str, Any]


def overlap_of(one: Box, other: Box) -> float:
    """Intersection over union of two boxes: 0 where they do not meet, 1 for the same."""
    wide = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    high = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    if wide <= 0 or high <= 0:
        return 0.0
    shared = wide * high
    return float(shared / (one["width"] * one["height"] + other["width"] * other["height"] - shared))


def matched(key: Sequence[Box], value: Sequence[Box], least: float) -> int:
    """In how many pairs the boxes can be put at most: equal labels, an overlap of at least `least`, each box once.

    A greatest matching by augmenting paths, so that neither the order of the boxes nor which list is the key matters.
    """
    fitting = [
        [
            at
            for at, given in enumerate(value)
            if given["label"] == wanted["label"] and overlap_of(wanted, given) >= least
        ]
        for wanted in key
    ]
    partner: dict[int, int] = {}

    def placed(wanted: int, tried: set[int]) -> bool:
        for at in fitting[wanted]:
            if at not in tried:
                tried.add(at)
                if at not in partner or placed(partner[at], tried):
                    partner[at] = wanted
                    return True
        return False

    return sum(placed(wanted, set()) for wanted in range(len(key)))
