"""What a commitment to gold keys says, and how anybody checks it; nothing here needs this program.

Before a batch opens, each key is committed to by a leaf: SHA-256 of a salt of 32 random bytes followed by the key's
text, which is JSON of the list `[external_id, key]`. Other leaves that nobody can tell from these fill up a number that
says nothing of the keys. The sorted leaves are the bottom of a binary tree in which every node above is SHA-256 of the
byte 1 followed by the two nodes below it; the node at the top is the root, which is published. Later a key is opened by
its salt, its text and the nodes beside its way to the root.
"""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

SALT_BYTES = 32


@dataclass(frozen=True)
class Opening:
    """What shows that a key was committed to: `index` is the place of its leaf, `path` the nodes beside its way up."""

    salt: bytes
    text: str
    index: int
    path: tuple[bytes, ...]


def leaf_of(salt: bytes, text: str) -> bytes:
    """The leaf of a key."""
    return sha256(salt + text.encode()).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaves in their order, whose number must be a power of two."""
    return _levels(leaves)[-1][0]


def paths_of(leaves: Sequence[bytes], wanted: Sequence[bytes]) -> list[tuple[int, tuple[bytes, ...]]]:
    """For each wanted leaf its place among the sorted leaves and the nodes beside its way to the root, from below.

    Raises `ValueError` for a leaf that is not there.
    """
    levels = _levels(leaves)
    found = []
    for leaf in wanted:
        index = bisect_left(leaves, leaf)
        if index == len(leaves) or leaves[index] != leaf:
            raise ValueError("there is no such leaf")
        found.append((index, tuple(level[(index >> height) ^ 1] for height, level in enumerate(levels[:-1]))))
    return found


def verify(*, root: bytes, leaves: int, opening: Opening, external_id: str, key: dict[str, Any]) -> bool:
    """Whether the root, over so many leaves, was a commitment to this very key of this very task."""
    try:
        text = json.loads(opening.text)
    except ValueError:
        return False
    if text != [external_id, key] or len(opening.salt) != SALT_BYTES:
        return False
    if leaves != 1 << len(opening.path) or not 0 <= opening.index < leaves:
        return False
    node, index = leaf_of(opening.salt, opening.text), opening.index
    for beside in opening.path:
        node = _node(beside, node) if index & 1 else _node(node, beside)
        index >>= 1
    return node == root


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    if not leaves or len(leaves) & (len(leaves) - 1):
        raise ValueError("the number of leaves must be a power of two")
    levels: list[Sequence[bytes]] = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([_node(below[at], below[at + 1]) for at in range(0, len(below), 2)])
    return levels
