"""Known values of kinds whose values are no plain labels teach about workers as known labels do."""

from typing import Any

import pytest

from marketplace.projects.answer_types.base import AnswerTable
from marketplace.projects.answer_types.registry import answer_type

TREE = {
    "name": "what",
    "type": "taxonomy",
    "tree": [{"value": "animal", "children": [{"value": "cat"}, {"value": "dog"}]}],
}
SIDES = {"name": "better", "type": "preference", "left": "a", "right": "b", "strengths": 3}
CAT, DOG = ["animal", "cat"], ["animal", "dog"]
LEFT, RIGHT = {"preferred": "left", "strength": 2}, {"preferred": "right", "strength": 3}


def found(field: dict[str, Any], one: Any, other: Any, known: dict[int, Any], method: str) -> list[Any]:
    """What six tasks come to, of which the even ones are `one`: two workers say the opposite, the third is right."""
    kind = answer_type(field["type"])
    right = [one, other] * 3
    wrong = [other, one] * 3
    table = AnswerTable(
        task=[*range(6)] * 3, worker=[1] * 6 + [2] * 6 + [3] * 6, value=wrong + wrong + right, n_tasks=6, known=known
    )
    return [result.value for result in kind.aggregate(kind.check_field(field), table, method).results]


@pytest.mark.parametrize("method", ["dawid_skene", "one_coin", "mace"])
@pytest.mark.parametrize(("field", "one", "other"), [(TREE, CAT, DOG), (SIDES, LEFT, RIGHT)])
def test_known_values_show_whom_to_believe(field: dict[str, Any], one: Any, other: Any, method: str) -> None:
    known = {0: one, 1: other, 2: one, 3: other}
    assert found(field, one, other, {}, method) == [other, one] * 3
    assert found(field, one, other, known, method)[:4] == [one, other] * 2
    assert found(field, one, other, known, "majority") == [other, one] * 3


def test_a_known_value_that_nobody_gave_is_the_result_with_its_strength() -> None:
    for field, given, key in ((TREE, CAT, DOG), (SIDES, LEFT, RIGHT)):
        kind = answer_type(field["type"])
        table = AnswerTable([0, 1], [1, 1], [given, given], 2, known={0: key})
        [first, second] = kind.aggregate(kind.check_field(field), table, "dawid_skene").results
        assert (first.value, first.confidence) == (key, 1.0)
        assert second.task == 1
