"""Which things of two lists are the same."""

import numpy as np
from numpy.typing import NDArray


def matching(likeness: NDArray[np.float64], least: float) -> NDArray[np.intp]:
    """As many pairs as can be of things that are alike by at least `least`, each thing in one pair at most; of several
    ways to have as many, one with the greatest sum of likeness.

    likeness  (n, m)  0 … 1
    returns   (k, 2)  rows and columns, by rising row. Their number and sum depend neither on the order of the things
                      nor on which list comes first; where several ways are equal in both, which one is found does.
    Source: the assignment problem by shortest augmenting paths, Jonker and Volgenant (1987), doi:10.1007/BF02278710.
    """
    fits = likeness >= least
    pairs = [
        pair
        for rows, columns in _components(fits)
        for pair in _assigned(rows, columns, likeness[np.ix_(rows, columns)], fits[np.ix_(rows, columns)])
    ]
    return np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)


def _components(fits: NDArray[np.bool_]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that hang together by fits; most are one of each, which costs nothing to match."""
    columns_of = [np.flatnonzero(row).tolist() for row in fits]
    rows_of = [np.flatnonzero(column).tolist() for column in fits.T]
    seen: set[int] = set()
    components = []
    for start in range(len(columns_of)):
        if start in seen or not columns_of[start]:
            continue
        rows, columns, waiting = {start}, set[int](), [start]
        while waiting:
            for column in columns_of[waiting.pop()]:
                if column not in columns:
                    columns.add(column)
                    new = [row for row in rows_of[column] if row not in rows]
                    rows.update(new)
                    waiting += new
        seen |= rows
        components.append((sorted(rows), sorted(columns)))
    return components


def _assigned(
    rows: list[int], columns: list[int], likeness: NDArray[np.float64], fits: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    if len(rows) == len(columns) == 1:
        return [(rows[0], columns[0])]
    if len(rows) > len(columns):
        return [(row, column) for column, row in _assigned(columns, rows, likeness.T, fits.T)]
    # A pair more outweighs any sum of likeness, so that the greatest weight has the most pairs.
    weight = np.where(fits, len(rows) + 1 + likeness, 0.0)
    chosen = _cheapest(-weight)
    return [(rows[at], columns[to]) for at, to in enumerate(chosen) if fits[at, to]]


def _cheapest(cost: NDArray[np.float64]) -> list[int]:
    """The column of each row in an assignment of least cost; there are at least as many columns as rows."""
    height, width = cost.shape
    row_price, column_price = np.zeros(height), np.zeros(width + 1)
    row_of = np.full(width + 1, -1)  # the last column is where each search begins
    for row in range(height):
        row_of[width] = row
        at = width
        cheapest = np.full(width, np.inf)
        before = np.full(width, width)
        done = np.zeros(width + 1, dtype=bool)
        while row_of[at] != -1:
            done[at] = True
            step = cost[row_of[at]] - row_price[row_of[at]] - column_price[:width]
            better = ~done[:width] & (step < cheapest)
            cheapest[better], before[better] = step[better], at
            following = int(np.argmin(np.where(done[:width], np.inf, cheapest)))
            delta = cheapest[following]
            row_price[row_of[done]] += delta
            column_price[done] -= delta
            cheapest[~done[:width]] -= delta
            at = following
        while at != width:
            row_of[at], at = row_of[before[at]], before[at]
    chosen = np.zeros(height, dtype=int)
    taken = np.flatnonzero(row_of[:width] >= 0)
    chosen[row_of[taken]] = taken
    return chosen.tolist()
