"""Answer fields that are asked only where an earlier one was answered in a certain way: `show_if`. Pure rules.

    {"field": "<earlier answer field>", "is": value} or {…, "any_of": [values]} or {…, "answered": true}

A value is met by an equal one. A type may say more with two methods, as a choice of several labels does, where a label
is met by every answer that names it: `check_wanted(field, wanted)` gives the value in canonical form or raises
`ValueRefused`, `meets(field, wanted, value)` says whether a cleaned answer meets it, and `wanted_schema(field, wanted)`
states that as JSON Schema. A field that is not shown has no answer, so what depends on it is not shown either.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from marketplace.projects.answer_types.base import Field, FieldError, FieldInvalid, FieldOutcome, ValueRefused
from marketplace.projects.answer_types.registry import answer_type


def check_condition(field: Mapping[str, Any], earlier: Sequence[Field]) -> dict[str, Any]:
    """A checked field with its condition in canonical form; `earlier` are the checked fields before it.

    Raises `FieldInvalid` where the condition names no earlier field, or a value that this could never have.
    """
    condition = field.get("show_if")
    if condition is None:
        return dict(field)
    named = next((other for other in earlier if other["name"] == condition["field"]), None)
    if named is None:
        raise FieldInvalid([FieldError("show_if.field", "must be the name of an answer field before this one")])
    checked = dict(condition)
    if "is" in condition:
        checked["is"] = _wanted(named, condition["is"], "is")
    elif "any_of" in condition:
        checked["any_of"] = [_wanted(named, wanted, f"any_of[{at}]") for at, wanted in enumerate(condition["any_of"])]
        if any(wanted in checked["any_of"][:at] for at, wanted in enumerate(checked["any_of"])):
            raise FieldInvalid([FieldError("show_if.any_of", "names a value twice")])
    return {**field, "show_if": checked}


def shown(field: Field, fields: Iterable[Field], values: Mapping[str, Any]) -> bool:
    """Whether a field is asked beside these cleaned values. `fields` are those of the interface."""
    condition = field.get("show_if")
    if condition is None:
        return True
    if condition["field"] not in values:
        return False
    if "answered" in condition:
        return True
    named = next(other for other in fields if other["name"] == condition["field"])
    wanted = condition["any_of"] if "any_of" in condition else [condition["is"]]
    meets = getattr(answer_type(named["type"]), "meets", _equal)
    return any(meets(named, one, values[named["name"]]) for one in wanted)


def possible(field: Field, fields: Sequence[Field], values: Mapping[str, Any]) -> bool:
    """Whether a field may be asked beside these cleaned values and others that are not said."""
    condition = field.get("show_if")
    if condition is None:
        return True
    named = next(other for other in fields if other["name"] == condition["field"])
    return shown(field, fields, values) if named["name"] in values else possible(named, fields, values)


def shown_results(
    fields: Sequence[Field], outcomes: Sequence[tuple[str, FieldOutcome]]
) -> list[tuple[str, FieldOutcome]]:
    """Outcomes by the name of their field, without the results that are not asked beside the others of their task.

    Each field is aggregated by the answers that it has; that a few filled one in does not make it shown.
    """
    by_name = {field["name"]: field for field in fields}
    values: dict[int, dict[str, Any]] = {}
    for name, outcome in outcomes:
        for result in outcome.results:
            values.setdefault(result.task, {})[name] = result.value
    kept = {task: without_hidden(fields, of_task) for task, of_task in values.items()}
    return [
        (name, replace(outcome, results=[result for result in outcome.results if name in kept[result.task]]))
        if "show_if" in by_name[name]
        else (name, outcome)
        for name, outcome in outcomes
    ]


def without_hidden(fields: Sequence[Field], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an answer without those of fields that are not asked beside the others."""
    kept: dict[str, Any] = {}
    for field in fields:
        if field["name"] in values and shown(field, fields, kept):
            kept[field["name"]] = values[field["name"]]
    return kept


def in_words(condition: Mapping[str, Any]) -> str:
    """When the field is asked, for an error."""
    if "answered" in condition:
        return f"where {condition['field']} is answered"
    wanted = condition["any_of"] if "any_of" in condition else [condition["is"]]
    named = [" / ".join(map(str, one)) if isinstance(one, list) else str(one) for one in wanted]
    return f"where {condition['field']} is {' or '.join(named)}"[:300]


def conditions_schema(fields: Sequence[Field]) -> list[dict[str, Any]]:
    """JSON Schema of the conditions, one for each field that has one: it is absent where the condition does not hold,
    and there where it does if it is required."""
    by_name = {field["name"]: field for field in fields}
    return [_schema(field, by_name[field["show_if"]["field"]]) for field in fields if "show_if" in field]


def _schema(field: Field, named: Field) -> dict[str, Any]:
    condition = field["show_if"]
    holds: dict[str, Any] = {"required": [named["name"]]}
    if "answered" not in condition:
        wanted = condition["any_of"] if "any_of" in condition else [condition["is"]]
        state = getattr(answer_type(named["type"]), "wanted_schema", _constant)
        met = [state(named, one) for one in wanted]
        holds = {"properties": {named["name"]: met[0] if len(met) == 1 else {"anyOf": met}}, **holds}
    asked = {"then": {"required": [field["name"]]}} if field["required"] else {}
    return {"if": holds, **asked, "else": {"properties": {field["name"]: False}}}


def _wanted(named: Field, wanted: Any, option: str) -> Any:
    kind = answer_type(named["type"])
    check = getattr(kind, "check_wanted", kind.clean)
    try:
        checked = check(named, wanted)
    except ValueRefused as refused:
        raise FieldInvalid([FieldError(f"show_if.{option}", refused.message)]) from None
    if checked is None:
        raise FieldInvalid([FieldError(f"show_if.{option}", "must be a value")])
    return checked


def _equal(_field: Field, wanted: Any, value: Any) -> bool:
    return bool(wanted == value)


def _constant(_field: Field, wanted: Any) -> dict[str, Any]:
    return {"const": wanted}
