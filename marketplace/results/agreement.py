"""How far answers to one task agree, by their types' own comparison. Values in, values out.

Simple on purpose: rejections and appeals are decided by it, and whoever reads why can count it himself. `judging` knows
more, by what is known of each worker, and decides about nobody's pay.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.registry import answer_type

OTHERS_MIN = 2  # one other answer is no consensus


def agree(fields: Sequence[Mapping[str, Any]], one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two answers say the same: in most fields that either of them fills, `one` is correct by `other`."""
    filled = [field for field in fields if field["name"] in one or field["name"] in other]
    same = 0
    for field in filled:
        name = field["name"]
        if name in one and name in other:
            kind = answer_type(field["type"])
            same += kind.score(field, other[name], one[name]) >= kind.correct_at
    return 2 * same > len(filled)


def agrees_with_most(
    fields: Sequence[Mapping[str, Any]], one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
) -> bool | None:
    """Whether an answer agrees with more than half of the others; None where there are too few to say."""
    if len(others) < OTHERS_MIN:
        return None
    return 2 * sum(agree(fields, one, other) for other in others) > len(others)
