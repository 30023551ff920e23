"""How tables say items: one column each for what is known, typed by the schemas of the answer fields."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from json import dumps
from typing import Any, BinaryIO

from marketplace.projects.answer_types.base import Field, FieldError, FieldInvalid
from marketplace.projects.answer_types.declaration import Declaration
from marketplace.projects.answer_types.registry import answer_type
from marketplace.results.writers.base import Item, Items, Sink

FIXED = ("external_id", "split", "gold", "instruction_version")


def read_options(options: Mapping[str, Any], known: Mapping[str, bool]) -> dict[str, Any]:
    """Options that are true or false, with their defaults. Raises `FieldInvalid`."""
    read = Declaration(options, known)
    checked = {name: read.flag(name, default=default) for name, default in known.items()}
    read.raise_errors()
    return checked


def refuse_same_names(data: Sequence[Field], answer: Sequence[Field]) -> None:
    """Raise `FieldInvalid` where two columns of a table would have one name."""
    names = [*FIXED, *(f"data.{field['name']}" for field in data)]
    for field in answer:
        names += [field["name"], *(f"{field['name']}.{what}" for what in RESULT_COLUMNS)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FieldInvalid([FieldError("", f"two columns would be called {', '.join(twice)}")])


RESULT_COLUMNS = ("confidence", "answers", "method")


def columns_of(data: Sequence[Field], answer: Sequence[Field]) -> list[str]:
    """`external_id`, `split`, `gold`, `instruction_version`, `data.<field>` …, and for each answer field `<field>`,
    `<field>.confidence`, `<field>.answers`, `<field>.method`."""
    columns = [*FIXED, *(f"data.{field['name']}" for field in data)]
    for field in answer:
        columns += [field["name"], *(f"{field['name']}.{what}" for what in RESULT_COLUMNS)]
    return columns


def row_of(item: Item, data: Sequence[Field], answer: Sequence[Field]) -> list[Any]:
    """The cells of an item, in the order of `columns_of`; None for what is not there."""
    cells: list[Any] = [item.external_id, item.split, item.gold, item.instruction_version]
    cells += [item.data.get(field["name"]) for field in data]
    for field in answer:
        name = field["name"]
        cells += [item.values.get(name), item.confidence.get(name), item.votes.get(name), item.method.get(name)]
    return cells


def json_type(field: Field) -> str:
    """The type of the field's values where a column can have it: string, number, integer, boolean, or strings (a list
    of them); json for all others, whose cells are JSON texts."""
    schema = answer_type(field["type"]).json_schema(field)
    kind = schema.get("type")
    if kind == "array" and schema.get("items", {}).get("type") == "string":
        return "strings"
    return kind if kind in ("string", "number", "integer", "boolean") else "json"


def as_json(value: Any) -> str:
    """A value as a JSON text."""
    return dumps(value, ensure_ascii=False, separators=(",", ":"))


def file_names(items: Items, ending: str) -> dict[str, str]:
    """The path of each split's file; `all` where there are no splits."""
    return {split: f"{split or 'all'}.{ending}" for split in items.splits}


def appended(stack: ExitStack, items: Items, out: Sink, ending: str) -> dict[str, BinaryIO]:
    """The growing file of each split, open until the stack is closed."""
    return {split: stack.enter_context(out.append(path)) for split, path in file_names(items, ending).items()}


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items, some at a time."""
    some: list[Item] = []
    for item in items:
        some.append(item)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some
