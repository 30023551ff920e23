"""How alike two payloads are: near-duplicates have hashes that differ in a few of 64 bits.

Source: Charikar (2002), doi:10.1145/509907.509965; three bits of 64 as in Manku, Jain and Das Sarma (2007),
doi:10.1145/1242572.1242592.
"""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np

SHINGLE = 3
ALIKE_BITS = 3
_WORD = re.compile(r"\w+")


def simhash(data: Any) -> int:
    """A signed 64-bit hash of what a payload says, by its runs of three words; case, punctuation and the form of
    characters do not count, nor do the names of its fields. Nothing at all gives 0.

    >>> simhash({"text": "A red cat."}) == simhash({"note": "a red  CAT"})
    True
    """
    words = [word for text in _texts(data) for word in _WORD.findall(_plain(text))]
    if not words:
        return 0
    runs = {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}
    hashes = b"".join(blake2b(run.encode(), digest_size=8).digest() for run in sorted(runs))
    bits = np.unpackbits(np.frombuffer(hashes, dtype=np.uint8).reshape(-1, 8), axis=1)
    # As many ones as noughts counts as nought.
    majority = np.packbits(2 * bits.sum(axis=0, dtype=np.int64) > len(bits))
    return int.from_bytes(majority.tobytes(), "big", signed=True)


def distance(one: int, other: int) -> int:
    """In how many of 64 bits two hashes differ.

    >>> distance(0, -1), distance(5, 4)
    (64, 1)
    """
    return ((one ^ other) & (2**64 - 1)).bit_count()


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name in sorted(value):
            yield from _texts(value[name])
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif value is not None:
        yield str(value)
