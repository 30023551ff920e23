"""Finds near-duplicates among many items by their hashes (`marketplace.batches.simhash`)."""

import numpy as np
from numpy.typing import NDArray

from marketplace.batches.simhash import ALIKE_BITS

# Hashes that differ in at most three bits have one of four blocks in common.
BLOCKS = ALIKE_BITS + 1
# A key that so many pairs have in common is looked at by a second, finer cut.
PAIRS_MAX = 20_000_000
NOTHING = 0


def alike_groups(hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each item the place of the first item of its group: items whose hashes differ in at most three bits are in
    one group, and so is what is alike to the same. The hash 0 says that there is nothing to compare: such an item is
    alone.

    hashes   (n,)
    returns  (n,)   itself for the first of a group
    """
    something = np.flatnonzero(hashes != NOTHING)
    known, first, place = np.unique(hashes[something], return_index=True, return_inverse=True)
    group = _Groups(len(known))
    words: NDArray[np.uint64] = known.view(np.uint64)
    names = np.arange(len(words))
    for at in range(0, 64, 64 // BLOCKS):
        for crowd in _join_equal((words >> np.uint64(at)) & np.uint64(0xFFFF), words, names, group):
            # The other 48 bits are cut in four again: three differences leave one of these blocks alone, too.
            some = words[crowd]
            rest = some & np.uint64((1 << at) - 1)
            if at < 48:
                rest |= some >> np.uint64(at + 16) << np.uint64(at)
            for fine in range(0, 48, 48 // BLOCKS):
                for pairs in _join_equal((rest >> np.uint64(fine)) & np.uint64(0xFFF), some, names[crowd], group):
                    _join_all(some[pairs], names[crowd][pairs], group)
    # The first of each group by place among all items, not by hash.
    leaders = group.leaders()
    least = np.full(len(known), len(hashes), dtype=np.int64)
    np.minimum.at(least, leaders, something[first])
    found = np.arange(len(hashes))
    found[something] = least[leaders][place]
    return found


def across(groups: NDArray[np.int64], split: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Items that are in another split than the first of their group: (first of the group, item), by item."""
    apart = np.flatnonzero(split != split[groups])
    return [(int(groups[item]), int(item)) for item in apart]


def _join_equal(
    keys: NDArray[np.uint64], words: NDArray[np.uint64], names: NDArray[np.int64], group: "_Groups"
) -> list[NDArray[np.int64]]:
    """Join those that have the same key and are alike; keys that too many have are left, and their places returned."""
    if not len(keys):
        return []
    order = np.argsort(keys, kind="stable")
    borders = np.flatnonzero(np.concatenate([[True], np.diff(keys[order]) != 0, [True]]))
    sizes = np.diff(borders)
    large = sizes.astype(np.float64) ** 2 > PAIRS_MAX
    left = [order[begin : begin + size] for begin, size in zip(borders[:-1][large], sizes[large], strict=True)]
    order = order[np.repeat(~large, sizes)]
    keys = keys[order]
    at, step = np.arange(len(order)), 1
    while len(at := at[at + step < len(order)]) and len(at := at[keys[at] == keys[at + step]]):
        one, other = order[at], order[at + step]
        close = np.bitwise_count(words[one] ^ words[other]) <= ALIKE_BITS
        group.join(names[one[close]], names[other[close]])
        step += 1
    return left


def _join_all(words: NDArray[np.uint64], names: NDArray[np.int64], group: "_Groups") -> None:
    """Compare each with each."""
    for at in range(len(words) - 1):
        close = np.flatnonzero(np.bitwise_count(words[at + 1 :] ^ words[at]) <= ALIKE_BITS) + at + 1
        group.join(np.full(len(close), names[at]), names[close])


class _Groups:
    """Which of n things belong together."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def join(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        for left, right in zip(one.tolist(), other.tolist(), strict=True):
            left, right = self._top(left), self._top(right)
            if left != right:
                self._parent[max(left, right)] = min(left, right)

    def leaders(self) -> NDArray[np.int64]:
        return np.array([self._top(at) for at in range(len(self._parent))], dtype=np.int64)

    def _top(self, at: int) -> int:
        parent = self._parent
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at
