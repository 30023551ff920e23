"""Labelled stretches of a line, as spans of a text or segments of a sound: cut into pieces that can be voted on.

A stretch is (label, start, end) with start < end; positions are characters or seconds. Every boundary that anyone drew
is a cut, so a piece between two cuts lies in each stretch as a whole or not at all: it is what a token is where words
are tagged, but needs no words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Stretch = tuple[str, float, float]


@dataclass(frozen=True)
class Piece:
    """A piece of a line, and for each answer in order the label it has there, None for none, and whether a stretch of
    that answer begins with the piece."""

    start: float
    end: float
    labels: tuple[str | None, ...]
    begins: tuple[bool, ...]


def cut(answers: Sequence[Sequence[Stretch]]) -> list[Piece]:
    """The pieces in which some answer has a label, in order. Within an answer stretches may touch, and not overlap."""
    cuts = sorted({at for stretches in answers for _, start, end in stretches for at in (start, end)})
    number = {at: place for place, at in enumerate(cuts)}
    labels: list[list[str | None]] = [[None] * len(answers) for _ in cuts]
    begins = [[False] * len(answers) for _ in cuts]
    for answer, stretches in enumerate(answers):
        for label, start, end in stretches:
            begins[number[start]][answer] = True
            for place in range(number[start], number[end]):
                labels[place][answer] = label
    return [
        Piece(start, end, tuple(labels[place]), tuple(begins[place]))
        for place, (start, end) in enumerate(pairwise(cuts))
        if any(label is not None for label in labels[place])
    ]


def joined(pieces: Sequence[Piece], chosen: Sequence[str | None]) -> list[Stretch]:
    """Stretches out of pieces and the label chosen for each, None for none.

    Neighbouring pieces of one label are one stretch, unless more than half of the answers that have this label in the
    second one begin a stretch with it.
    """
    stretches: list[Stretch] = []
    for piece, label in zip(pieces, chosen, strict=True):
        if label is None:
            continue
        before = stretches[-1] if stretches else None
        if before and before[0] == label and before[2] == piece.start and not _begins(piece, label):
            stretches[-1] = (label, before[1], piece.end)
        else:
            stretches.append((label, piece.start, piece.end))
    return stretches


def matched(one: Sequence[Stretch], other: Sequence[Stretch], least: float) -> list[tuple[int, int]]:
    """The most pairs of equal label whose overlap is at least `least`, each stretch in one pair: numbers in both lists.

    Overlap is intersection over union, 1 for the same stretch. Stretches of one label of one list must not overlap.
    Then no two pairs can cross, and taking the first that is free from the left on gives as many as there can be.
    """
    right: dict[str, list[int]] = {}
    for at in _by_position(other):
        right.setdefault(other[at][0], []).append(at)
    first = dict.fromkeys(right, 0)
    pairs = []
    for at in _by_position(one):
        label, start, end = one[at]
        candidates = right.get(label, [])
        place = first.get(label, 0)
        while place < len(candidates) and other[candidates[place]][2] <= start:
            place += 1
        first[label] = place
        while place < len(candidates) and other[candidates[place]][1] < end:
            if overlap(one[at], other[candidates[place]]) >= least:
                pairs.append((at, candidates[place]))
                first[label] = place + 1
                break
            place += 1
    return pairs


def overlap(one: Stretch, other: Stretch) -> float:
    """Intersection over union of two stretches, whatever their labels: 0 where they do not meet, 1 for the same."""
    shared = min(one[2], other[2]) - max(one[1], other[1])
    return shared / (max(one[2], other[2]) - min(one[1], other[1])) if shared > 0 else 0.0


def shared_length(one: Iterable[tuple[float, float]], other: Iterable[tuple[float, float]]) -> float:
    """How much two lists of stretches without label have in common; those of one list must not overlap."""
    left, right = sorted(one), sorted(other)
    length, first, second = 0.0, 0, 0
    while first < len(left) and second < len(right):
        shared = min(left[first][1], right[second][1]) - max(left[first][0], right[second][0])
        length += max(shared, 0.0)
        if left[first][1] <= right[second][1]:
            first += 1
        else:
            second += 1
    return length


def _begins(piece: Piece, label: str) -> bool:
    votes = [begins for given, begins in zip(piece.labels, piece.begins, strict=True) if given == label]
    return 2 * sum(votes) > len(votes)


def _by_position(stretches: Sequence[Stretch]) -> list[int]:
    return sorted(range(len(stretches)), key=lambda at: stretches[at][1:])
