"""Splits of a data set: near-duplicates stay together, labels are spread as the shares say, chance is a hash."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

# Shares are whole ten-thousandths, so that no rounding of a machine decides.
WHOLE = 10_000


def draw_of(seed: str, external_id: str) -> int:
    """A number of 63 bits that only the seed and the item decide."""
    drawn = blake2b(f"{seed}\0{external_id}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big") >> 1


def assign(
    shares: Mapping[str, int], groups: NDArray[np.int64], draws: Sequence[int], labels: Sequence[str]
) -> NDArray[np.uint8]:
    """The split of each item, by its place among the shares.

    Items of a group go together, as an item with the label that most of them have (of equally many the first by name).
    Label by label the groups are taken in the order of their draws, and each goes where most is missing, among its
    label and over all; of equal ones to the first split. So a label's part in a split is off by less than its largest
    group, and by about one item where all are alone. The same items in another order get the same splits.

    shares   name of the split → ten-thousandths, 10,000 in all
    groups   (n,)   from `alike_groups`
    draws    (n,)   from `draw_of`
    returns  (n,)
    """
    parts = list(shares.values())
    assert sum(parts) == WHOLE
    members: defaultdict[int, list[int]] = defaultdict(list)
    for item, leader in enumerate(groups.tolist()):
        members[leader].append(item)
    strata: defaultdict[str, list[tuple[int, list[int]]]] = defaultdict(list)
    for items in members.values():
        counted = Counter(labels[item] for item in items)
        label = min(counted, key=lambda name: (-counted[name], name))
        strata[label].append((min(draws[item] for item in items), items))
    found = np.zeros(len(groups), dtype=np.uint8)
    everywhere = [0] * len(parts)
    for label in sorted(strata):
        here = [0] * len(parts)
        seen = 0
        for _, items in sorted(strata[label]):
            seen += len(items)
            total = sum(everywhere) + len(items)
            missing = [
                part * seen - WHOLE * mine + part * total - WHOLE * all_
                for part, mine, all_ in zip(parts, here, everywhere, strict=True)
            ]
            best = missing.index(max(missing))
            here[best] += len(items)
            everywhere[best] += len(items)
            found[items] = best
    return found
