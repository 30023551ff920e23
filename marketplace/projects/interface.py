"""The interface of a project: what a worker is shown and asked. Checks declarations, data and answers; no tables.

    {"data": [{"name", "type", …}], "answer": [{"name", "type", …}]}

`check_interface` turns what a requester wrote into the form that all else relies on. The values of items and answers
are checked against that form only.
"""

from collections.abc import Callable, Mapping
from functools import partial
from json import dumps
from typing import Any

from marketplace.projects.answer_types.base import FieldError, FieldInvalid, ValueRefused
from marketplace.projects.answer_types.declaration import Declaration
from marketplace.projects.answer_types.registry import answer_type, answer_types
from marketplace.projects.conditions import check_condition, conditions_schema, in_words, possible, shown
from marketplace.projects.data_types import DATA_TYPES

FIELDS_MAX = 100
INTERFACE_BYTES_MAX = 1024 * 1024
ERRORS_MAX = 100
# Exports put answers beside these columns.
RESERVED_NAMES = frozenset(
    ["external_id", "worker", "state", "submitted_at", "instruction_version", "unclear", "gold", "task"]
)

Interface = Mapping[str, Any]
Error = dict[str, str]


class InterfaceInvalid(Exception):
    """An interface that cannot be used. `errors` names all that is wrong: [{field, message}], at most 100."""

    def __init__(self, errors: list[Error]) -> None:
        super().__init__(f"{len(errors)} errors in the interface")
        self.errors = errors[:ERRORS_MAX]


class ValuesInvalid(Exception):
    """Values that do not fit the interface. `errors` is [{field, message}]; field is empty for the object as a
    whole."""

    def __init__(self, errors: list[Error]) -> None:
        super().__init__(f"{len(errors)} errors in the values")
        self.errors = errors[:ERRORS_MAX]


def check_interface(raw: Any) -> dict[str, Any]:
    """The interface in its normal form: only known keys, defaults filled in. Checking that again changes nothing.

    Raises `InterfaceInvalid` with everything that is wrong.
    """
    if not isinstance(raw, Mapping):
        raise InterfaceInvalid([_error("", "must be an object with data and answer")])
    errors = [_error(str(key)[:64], "is not known") for key in raw if key not in ("data", "answer")]
    checked = {
        "data": _check_fields("data", raw.get("data"), _check_data_field, errors),
        "answer": _check_fields("answer", raw.get("answer"), partial(_check_answer_field, raw.get("data")), errors),
    }
    if not errors and len(dumps(checked, ensure_ascii=False).encode()) > INTERFACE_BYTES_MAX:
        errors.append(_error("", f"must have at most {INTERFACE_BYTES_MAX} bytes"))
    if errors:
        raise InterfaceInvalid(errors)
    return checked


def clean_data(interface: Interface, raw: Any) -> dict[str, Any]:
    """An item's data in canonical form, without null and empty texts and tables. Raises `ValuesInvalid`."""
    return _clean(interface["data"], raw, _clean_data_value)


def clean_values(interface: Interface, raw: Any, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An answer's values in canonical form, without what is absent. Raises `ValuesInvalid`.

    A field that is not shown beside the others must be absent. With the item's cleaned data, values are checked against
    that too; `depends_on_data` says whether that can change anything.
    """
    return _clean(interface["answer"], raw, partial(_clean_answer_value, data), shown)


def depends_on_data(interface: Interface) -> bool:
    """Whether a field's values can be right for one item and wrong for another, as spans beyond the end of a text."""
    return any(hasattr(answer_type(field["type"]), "check_data") for field in interface["answer"])


def clean_key(interface: Interface, raw: Any, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A gold key in canonical form: right values of one or more answer fields. Raises `ValuesInvalid`.

    It need not say why a field is shown, but must not hold one that is not shown beside what it says. `data` as in
    `clean_values`.
    """
    asked = [{**field, "required": False} for field in interface["answer"]]
    key = _clean(asked, raw, partial(_clean_answer_value, data), possible)
    if not key:
        raise ValuesInvalid([_error("", "must give the right value of at least one answer field")])
    return key


def values_schema(interface: Interface) -> dict[str, Any]:
    """JSON Schema of an answer's values."""
    conditions = conditions_schema(interface["answer"])
    return {
        "type": "object",
        "properties": {
            field["name"]: {"title": field["title"], **answer_type(field["type"]).json_schema(field)}
            for field in interface["answer"]
        },
        "required": [field["name"] for field in interface["answer"] if field["required"] and "show_if" not in field],
        "additionalProperties": False,
        **({"allOf": conditions} if conditions else {}),
    }


def json_fields(interface: Interface) -> frozenset[str]:
    """Columns of a CSV whose cells hold JSON, as `data.<name>` and `gold.<name>`: all that are not plain text."""
    tables = {f"data.{field['name']}" for field in interface["data"] if field["type"] == "table"}
    typed = {
        f"gold.{field['name']}"
        for field in interface["answer"]
        if answer_type(field["type"]).json_schema(field)["type"] != "string"
    }
    return frozenset(tables | typed)


def _error(field: str, message: str) -> Error:
    return {"field": field, "message": message}


# Declarations


def _check_fields(
    part: str, raw: Any, check: Callable[[Mapping[str, Any]], dict[str, Any]], errors: list[Error]
) -> list[dict[str, Any]]:
    least = 1 if part == "answer" else 0
    raw = [] if raw is None else raw
    if not isinstance(raw, list) or not least <= len(raw) <= FIELDS_MAX:
        errors.append(_error(part, f"must be a list of {least} to {FIELDS_MAX} fields"))
        return []
    checked: list[dict[str, Any]] = []
    refused: set[Any] = set()
    names: set[str] = set()
    for at, field in enumerate(raw):
        path = f"{part}[{at}]"
        if not isinstance(field, Mapping):
            errors.append(_error(path, "must be an object"))
            continue
        name = field.get("name")
        if isinstance(name, str) and name in names:
            errors.append(_error(f"{path}.name", "is the name of another field too"))
        elif isinstance(name, str):
            names.add(name)
        try:
            checked_field = check(field)
            # Whether a condition fits a field that is wrong itself cannot be said.
            if "show_if" not in checked_field or checked_field["show_if"]["field"] not in refused:
                checked.append(check_condition(checked_field, checked))
        except FieldInvalid as invalid:
            refused.add(name if isinstance(name, str) else None)
            errors += [
                _error(f"{path}.{error.path}" if error.path else path, error.message) for error in invalid.errors
            ]
    return checked


def _check_data_field(field: Mapping[str, Any]) -> dict[str, Any]:
    read = Declaration(field, ("name", "type", "title", "required"))
    checked = read.common()
    if not isinstance(checked["type"], str) or checked["type"] not in DATA_TYPES:
        read.refuse("type", f"must be one of {', '.join(DATA_TYPES)}")
    read.raise_errors()
    return checked


def _check_answer_field(data: Any, field: Mapping[str, Any]) -> dict[str, Any]:
    kind = field.get("type")
    types = answer_types()
    if not isinstance(kind, str) or kind not in types:
        read = Declaration(field, field)
        read.refuse("type", f"must be one of {', '.join(types)}")
        read.common()
        read.raise_errors()
        raise AssertionError("unreachable: the type was refused")
    if field.get("name") in RESERVED_NAMES:
        read = Declaration(field, field)
        read.refuse("name", "is the name of a column of every export; take another")
        read.raise_errors()
    checked = types[kind].check_field(field)
    if (of := getattr(types[kind], "of", ())) and checked["of"] not in _names(data, of):
        raise FieldInvalid([FieldError("of", f"must be the name of a data field of type {' or '.join(of)}")])
    absent = [option for option in getattr(types[kind], "compares", ()) if checked[option] not in _names(data)]
    if absent:
        raise FieldInvalid([FieldError(option, "must be the name of a data field") for option in absent])
    return checked


def _names(data: Any, types: tuple[str, ...] | None = None) -> set[Any]:
    """Names of the data fields of these types, or of all, as far as `data` is well formed."""
    fields = [field for field in data if isinstance(field, Mapping)] if isinstance(data, list) else []
    named = [field for field in fields if isinstance(field.get("name"), str)]
    return {field["name"] for field in named if types is None or field.get("type") in types}


# Values


def _clean(
    fields: list[dict[str, Any]],
    raw: Any,
    clean: Callable[[Mapping[str, Any], Any], Any],
    asked: Callable[..., bool] = shown,
) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise ValuesInvalid([_error("", "must be an object")])
    cleaned: dict[str, Any] = {}
    errors: list[Error] = []
    refused: set[str] = set()
    seen = 0
    for field in fields:
        name = field["name"]
        value = raw.get(name)
        seen += name in raw
        if value is not None:
            try:
                value = clean(field, value)
            except ValueRefused as problem:
                errors.append(_error(name, problem.message))
                refused.add(name)
                continue
        if "show_if" in field and not asked(field, fields, cleaned):
            # Nobody can say whether it is shown by a field that was refused.
            if field["show_if"]["field"] in refused:
                refused.add(name)
            elif value is not None:
                errors.append(_error(name, f"must be empty: it is asked only {in_words(field['show_if'])}"))
        elif value is not None:
            cleaned[name] = value
        elif field["required"]:
            errors.append(_error(name, "is required"))
    if seen < len(raw):
        names = {field["name"] for field in fields}
        errors += [_error(str(key)[:64], "is not a field") for key in raw if key not in names]
    if errors:
        raise ValuesInvalid(errors)
    return cleaned


def _clean_answer_value(data: Mapping[str, Any] | None, field: Mapping[str, Any], value: Any) -> Any:
    kind = answer_type(field["type"])
    cleaned = kind.clean(field, value)
    if data is not None and cleaned is not None and hasattr(kind, "check_data"):
        kind.check_data(field, cleaned, data)
    return cleaned


def _clean_data_value(field: Mapping[str, Any], value: Any) -> Any:
    return DATA_TYPES[field["type"]](value)
