"""How far two texts, or two lists of spans, say the same."""

from collections import Counter
from collections.abc import Hashable, Sequence

from marketplace.aggregation.text.edits import edit_distance


def error_rate(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Edits by the length of the longer one: 0 … 1, the same in both directions; 0 for two empty ones.

    A word error rate where the items are words. Between two workers neither is the reference, so that it is not divided
    by the length of one of them.
    """
    longer = max(len(one), len(other))
    return edit_distance(one, other) / longer if longer else 0.0


def span_f1(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """F1 of spans that are equal in all they say (as in CoNLL 2003): twice what is in both over all of both, equal ones
    counted as often as they occur; 1 where there are none."""
    marks = len(one) + len(other)
    return 2 * (Counter(one) & Counter(other)).total() / marks if marks else 1.0
