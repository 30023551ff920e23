"""How two sequences of tokens lie beside each other with the fewest edits."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.text.edits import edit_distance

# Moves of an alignment: a token on a token, a token that is only in the rows, one that is only in the columns.
BOTH, ROW, COLUMN = 0, 1, 2
# A table of alignment keeps a byte for each pair of tokens.
CELLS_MAX = 64 * 1024 * 1024


class TooLong(ValueError):
    """Two sequences whose table of alignment would have more than `CELLS_MAX` cells."""


def distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Edits as a share of the longer sequence, 0 … 1: a word error rate that is the same both ways. 0 for two empty."""
    longer = max(len(one), len(other))
    return edit_distance(one, other) / longer if longer else 0.0


def aligned(
    tokens: Sequence[Hashable], slots: Sequence[frozenset[Hashable]], optional: NDArray[np.bool_]
) -> list[tuple[int | None, int | None]]:
    """The cheapest alignment of tokens with slots, as pairs (token, slot) of which one may be None.

    tokens    a sequence of n tokens
    slots     for each of m places the tokens that may stand there
    optional  (m,)  whether the place may stay empty at no cost
    returns   pairs in order: each token once, each slot once

    A token on a slot that has it costs 0, on another 1; a token without slot costs 1, and so does a slot without token
    unless it is optional. Of equally cheap alignments the one that pairs from the end on, then leaves slots empty, then
    adds tokens. Raises `TooLong` where n m exceeds `CELLS_MAX`.
    """
    if len(tokens) * len(slots) > CELLS_MAX:
        raise TooLong(f"{len(tokens)} tokens beside {len(slots)} are too many to align")
    found: dict[Hashable, list[int]] = {}
    for at, slot in enumerate(slots):
        for token in slot:
            found.setdefault(token, []).append(at)
    places = {token: np.array(at, np.intp) for token, at in found.items()}
    skipping = np.concatenate([[0], np.cumsum(~optional)])
    moves = np.empty((len(tokens) + 1, len(slots) + 1), np.int8)
    moves[0] = COLUMN
    row = skipping
    for number, token in enumerate(tokens, 1):
        on_slot = row[:-1] + 1
        if (allowing := places.get(token)) is not None:
            on_slot[allowing] -= 1
        fresh = row + 1
        fresh[1:] = np.minimum(fresh[1:], on_slot)
        # Skipping slots costs the same wherever it begins, so the cheapest start is a running minimum.
        following = np.minimum.accumulate(fresh - skipping) + skipping
        move = np.full(len(slots) + 1, ROW, np.int8)
        move[1:][following[1:] == following[:-1] + ~optional] = COLUMN
        move[1:][following[1:] == on_slot] = BOTH
        moves[number] = move
        row = following
    return _walk_back(moves)


def _walk_back(moves: NDArray[np.int8]) -> list[tuple[int | None, int | None]]:
    token, slot = moves.shape[0] - 1, moves.shape[1] - 1
    pairs: list[tuple[int | None, int | None]] = []
    while token or slot:
        move = moves[token, slot]
        token -= move != COLUMN
        slot -= move != ROW
        pairs.append((None if move == COLUMN else int(token), None if move == ROW else int(slot)))
    return pairs[::-1]
