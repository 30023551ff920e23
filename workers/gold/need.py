"""How much new gold a running batch can use."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Supply:
    """Gold that is ready: different keys, and how often all of them may still be shown."""

    keys: int
    places: int


def wanted(
    *, share: float, open_places: int, overlap: int, supply: Supply, allowance: int | None = None
) -> tuple[int, int]:
    """How many keys, and places of keys, are missing; (0, 0) where there is enough.

    `share` of the `open_places` still to be given should be gold, and not more than `allowance`. Since nobody meets a
    key twice, whoever does all that is left needs as many different keys as `share` of the tasks, which have `overlap`
    places each.

    >>> wanted(share=0.1, open_places=300, overlap=3, supply=Supply(keys=4, places=30))
    (6, 0)
    """
    places = math.ceil(round(share * open_places, 9))
    keys = math.ceil(round(share * open_places / overlap, 9))
    if allowance is not None:
        places, keys = min(places, allowance), min(keys, allowance)
    return max(0, keys - supply.keys), max(0, places - supply.places)
