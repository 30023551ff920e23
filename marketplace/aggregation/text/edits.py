"""How many edits lie between two texts, or two sequences of words."""

from collections.abc import Hashable, Sequence


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Levenshtein's distance: the fewest characters to insert, delete or replace that make one text the other; with
    lists of words the fewest words, which is the numerator of the word error rate.

    A column of the table is kept as two integers of one bit per character, where it rises and where it falls, so that
    a step over a character is a few operations on whole integers: O(n m / 64), exact whatever the distance. Sources:
    Myers (1999), doi:10.1145/316542.316550; Hyyrö (2003), "A bit-vector algorithm for computing Levenshtein and
    Damerau edit distances".

    >>> edit_distance("kitten", "sitting"), edit_distance("", "abc"), edit_distance("same", "same")
    (3, 3, 0)
    >>> edit_distance(["the", "cat"], ["a", "cat", "sat"])
    2
    """
    head = _same_start(one, other)
    one, other = one[head:], other[head:]
    tail = _same_start(one[::-1], other[::-1])
    one, other = one[: len(one) - tail], other[: len(other) - tail]
    if len(one) > len(other):
        one, other = other, one
    if not one:
        return len(other)
    places: dict[Hashable, int] = {}
    for at, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << at
    full, last = (1 << len(one)) - 1, 1 << len(one) - 1
    rises, falls, distance = full, 0, len(one)
    for character in other:
        equal = places.get(character, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        right_up = falls | full & ~(diagonal | rises)
        right_down = rises & diagonal
        distance += bool(right_up & last) - bool(right_down & last)
        right_up = right_up << 1 | 1
        right_down <<= 1
        rises = (right_down | ~(diagonal | right_up)) & full
        falls = right_up & diagonal & full
    return distance


def _same_start(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)
