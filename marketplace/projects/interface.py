"""The interface of a project: what a worker is shown and asked. Checks declarations, data and answers; no tables.

    {"data": [{"name", "type", …}], "answer": [{"name", "type", …}]}

`check_interface` turns what a requester wrote into the form that all else relies on. The values of items and answers
are checked against that form only.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from json import dumps
from typing import Any
from urllib.parse import urlsplit

from marketplace.projects.answer_types.base import FieldError, FieldInvalid, ValueRefused
from marketplace.projects.answer_types.declaration import Declaration
from marketplace.projects.answer_types.plain import VALUE_BYTES_MAX, bytes_of, text_problem
from marketplace.projects.answer_types.registry import answer_type, answer_types

FIELDS_MAX = 100
INTERFACE_BYTES_MAX = 1024 * 1024
ERRORS_MAX = 100
URL_MAX = 4_096
TABLE_ROWS_MAX = 1_000
TABLE_COLUMNS_MAX = 100
COLUMN_NAME_MAX = 200
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


def clean_values(interface: Interface, raw: Any) -> dict[str, Any]:
    """An answer's values in canonical form, without what is absent. Raises `ValuesInvalid`."""
    return _clean(interface["answer"], raw, _clean_answer_value)


def clean_key(interface: Interface, raw: Any) -> dict[str, Any]:
    """A gold key in canonical form: right values of one or more answer fields. Raises `ValuesInvalid`."""
    asked = [{**field, "required": False} for field in interface["answer"]]
    key = _clean(asked, raw, _clean_answer_value)
    if not key:
        raise ValuesInvalid([_error("", "must give the right value of at least one answer field")])
    return key


def values_schema(interface: Interface) -> dict[str, Any]:
    """JSON Schema of an answer's values."""
    return {
        "type": "object",
        "properties": {
            field["name"]: {"title": field["title"], **answer_type(field["type"]).json_schema(field)}
            for field in interface["answer"]
        },
        "required": [field["name"] for field in interface["answer"] if field["required"]],
        "additionalProperties": False,
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
            checked.append(check(field))
        except FieldInvalid as invalid:
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
    return checked


def _names(data: Any, types: tuple[str, ...]) -> set[Any]:
    """Names of the data fields of these types, as far as `data` is well formed."""
    fields = [field for field in data if isinstance(field, Mapping)] if isinstance(data, list) else []
    return {field["name"] for field in fields if field.get("type") in types and isinstance(field.get("name"), str)}


# Values


def _clean(fields: list[dict[str, Any]], raw: Any, clean: Callable[[Mapping[str, Any], Any], Any]) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise ValuesInvalid([_error("", "must be an object")])
    cleaned: dict[str, Any] = {}
    errors: list[Error] = []
    seen = 0
    for field in fields:
        name = field["name"]
        value = raw.get(name)
        seen += name in raw
        if value is not None:
            try:
                value = clean(field, value)
            except ValueRefused as refused:
                errors.append(_error(name, refused.message))
                continue
        if value is not None:
            cleaned[name] = value
        elif field["required"]:
            errors.append(_error(name, "is required"))
    if seen < len(raw):
        names = {field["name"] for field in fields}
        errors += [_error(str(key)[:64], "is not a field") for key in raw if key not in names]
    if errors:
        raise ValuesInvalid(errors)
    return cleaned


def _clean_answer_value(field: Mapping[str, Any], value: Any) -> Any:
    return answer_type(field["type"]).clean(field, value)


def _clean_data_value(field: Mapping[str, Any], value: Any) -> Any:
    return DATA_TYPES[field["type"]](value)


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        raise ValueRefused("must be text")
    if problem := text_problem(value):
        raise ValueRefused(problem)
    if bytes_of(value) > VALUE_BYTES_MAX:
        raise ValueRefused(f"must have at most {VALUE_BYTES_MAX} bytes")
    return value if value and not value.isspace() else None


def _url(value: Any) -> str | None:
    """An absolute http or https URL with a host and without credentials: nothing that runs, nothing relative."""
    url = _text(value)
    if url is None:
        return None
    if len(url) > URL_MAX:
        raise ValueRefused(f"must have at most {URL_MAX} characters")
    # Browsers repair such characters in ways of their own, so that what was checked is not what is opened.
    if any(character <= " " or character in '\\<>"\x7f' or character.isspace() for character in url):
        raise ValueRefused("must be a URL without spaces, quotes, angle brackets, backslashes and control characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueRefused(f"is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueRefused("must be a URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise ValueRefused("must be a URL without a user name or password")
    return url


def _image(value: Any) -> str | None:
    if not isinstance(value, str) or value[:5].lower() != "data:":
        return _url(value)
    matched = DATA_URL.fullmatch(value) if len(value) <= VALUE_BYTES_MAX else None
    if matched is None:
        raise ValueRefused(
            f"must be a URL, or data:image/png, jpeg, gif or webp in base64 of at most {VALUE_BYTES_MAX} bytes"
        )
    try:
        base64.b64decode(matched[1], validate=True)
    except binascii.Error:
        raise ValueRefused("is not base64") from None
    return value


def _table(value: Any) -> Any:
    """An object of scalars, or a list of up to 1,000 of them; 64 KiB in all."""
    rows = value if isinstance(value, list) else [value]
    if len(rows) > TABLE_ROWS_MAX:
        raise ValueRefused(f"must have at most {TABLE_ROWS_MAX} rows")
    size = 0
    for row in rows:
        if not isinstance(row, dict):
            raise ValueRefused("must be an object of texts, numbers, true, false and null, or a list of such objects")
        if len(row) > TABLE_COLUMNS_MAX:
            raise ValueRefused(f"must have at most {TABLE_COLUMNS_MAX} columns")
        for name, cell in row.items():
            if len(name) > COLUMN_NAME_MAX or text_problem(name):
                raise ValueRefused(f"must have column names of at most {COLUMN_NAME_MAX} characters, without NUL")
            size += len(name) + _cell_size(cell)
    if size > VALUE_BYTES_MAX:
        raise ValueRefused(f"must have at most {VALUE_BYTES_MAX} bytes")
    return value if any(rows) else None


def _cell_size(cell: Any) -> int:
    if isinstance(cell, str):
        if problem := text_problem(cell):
            raise ValueRefused(problem)
        return bytes_of(cell)
    if cell is None or isinstance(cell, bool):
        return 5
    if not isinstance(cell, int | float):
        raise ValueRefused("must hold texts, numbers, true, false and null only; nothing nested")
    if not (abs(cell) < CELL_INTEGER_END if isinstance(cell, int) else math.isfinite(cell)):
        raise ValueRefused("must hold finite numbers only, whole ones below 2**63")
    return 20


CELL_INTEGER_END = 2**63
DATA_URL = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,([A-Za-z0-9+/]+={0,2})")
DATA_TYPES: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "markdown": _text,
    "image": _image,
    "audio": _url,
    "video": _url,
    "table": _table,
    "url": _url,
}
