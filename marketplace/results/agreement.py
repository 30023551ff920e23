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
    filled = sum(field["name"] in one or field["name"] in other for field in fields)
    return 2 * (filled - len(differing(fields, one, other))) > filled


def differing(fields: Sequence[Mapping[str, Any]], one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of the fields in which `one` is not correct by `other`, those among them that only one of them
    fills."""
    return [
        field["name"]
        for field in fields
        if (field["name"] in one or field["name"] in other) and not _says_the_same(field, one, other)
    ]


def _says_the_same(field: Mapping[str, Any], one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    name, kind = field["name"], answer_type(field["type"])
    return name in one and name in other and kind.score(field, other[name], one[name]) >= kind.correct_at


def agrees_with_most(
    fields: Sequence[Mapping[str, Any]], one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
) -> bool | None:
    """Whether an answer agrees with more than half of the others; None where there are too few to say."""
    if len(others) < OTHERS_MIN:
        return None
    return 2 * sum(agree(fields, one, other) for other in others) > len(others)
