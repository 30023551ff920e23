"""Labels that only tell speakers apart: which of one answer are which of another."""

from collections.abc import Mapping, Sequence

from marketplace.aggregation.text.stretches import Stretch, shared_length

# Lengths are compared to a millisecond.
PRECISION = 1_000


def same_speakers(one: Sequence[Stretch], other: Sequence[Stretch]) -> dict[str, str]:
    """For labels of `one` those of `other` that share the most time with them in all, each taken once.

    Labels that share nothing with those that are left have no partner. Of equally good ways the one is taken that a
    search from the first labels in sorted order on finds.
    """
    left = sorted({label for label, _, _ in one})
    right = sorted({label for label, _, _ in other})
    shared = [
        [round(PRECISION * shared_length(_of(one, first), _of(other, second))) for second in right] for first in left
    ]
    return {
        left[at]: right[partner]
        for at, partner in enumerate(best_assignment(shared))
        if partner is not None and shared[at][partner]
    }


def renamed(stretches: Sequence[Stretch], names: Mapping[str, str], others: Sequence[str]) -> list[Stretch]:
    """The stretches by other labels: those in `names` by theirs, the others by what is free of `others`."""
    free = iter([name for name in others if name not in names.values()])
    mapping = dict(names)
    for label in sorted({label for label, _, _ in stretches} - names.keys()):
        mapping[label] = next(free, label)
    return [(mapping[label], start, end) for label, start, end in stretches]


def best_assignment(gain: Sequence[Sequence[int]]) -> list[int | None]:
    """For each row a column, each column taken once, so that the gains are the most in all; None for rows that are more
    than the columns. O(n³).

    The Hungarian method by shortest augmenting paths. Source: Jonker and Volgenant (1987), doi:10.1007/BF02278710.
    """
    rows, columns = len(gain), len(gain[0]) if gain else 0
    size = max(rows, columns)
    cost = [[-gain[row][column] if row < rows and column < columns else 0 for column in range(size)]
            for row in range(size)]  # fmt: skip
    of_row, of_column = [0] * (size + 1), [0] * (size + 1)
    taken_by, way = [0] * (size + 1), [0] * (size + 1)
    for row in range(1, size + 1):
        taken_by[0], column = row, 0
        least, seen = [float("inf")] * (size + 1), [False] * (size + 1)
        while taken_by[column]:
            seen[column], current = True, taken_by[column]
            following, step = 0, float("inf")
            for other in range(1, size + 1):
                if seen[other]:
                    continue
                reduced = cost[current - 1][other - 1] - of_row[current] - of_column[other]
                if reduced < least[other]:
                    least[other], way[other] = reduced, column
                if least[other] < step:
                    following, step = other, least[other]
            for other in range(size + 1):
                if seen[other]:
                    of_row[taken_by[other]] += int(step)
                    of_column[other] -= int(step)
                else:
                    least[other] -= step
            column = following
        while column:
            taken_by[column] = taken_by[way[column]]
            column = way[column]
    partner: list[int | None] = [None] * rows
    for column in range(1, columns + 1):
        if taken_by[column] <= rows:
            partner[taken_by[column] - 1] = column - 1
    return partner


def _of(stretches: Sequence[Stretch], label: str) -> list[tuple[float, float]]:
    return [(start, end) for name, start, end in stretches if name == label]
