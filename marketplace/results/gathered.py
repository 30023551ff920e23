"""Items as they are kept between the steps of building a data set: pages of JSON, packed."""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.parts import Part
from marketplace.projects.answer_types.registry import answer_type
from marketplace.results.writers.base import NO_SPLIT, Answer, Item

# [external id, data, {field: [value, confidence, answers, method]}, version, gold, [answer, …]] as `queries.datasets`
# reads them; an answer is [id, worker, values, unclear, state, submitted at, version].
Row = Sequence[Any]


class LazyParts(Mapping[str, Sequence[Part]]):
    """The parts of values by field, made when they are asked for."""

    def __init__(self, fields: Mapping[str, Field], values: Mapping[str, Any]) -> None:
        self._fields, self._values = fields, values
        self._made: dict[str, tuple[Part, ...]] = {}

    def __getitem__(self, name: str) -> Sequence[Part]:
        if name not in self._made:
            field = self._fields[name]
            self._made[name] = tuple(answer_type(field["type"]).parts(field, self._values[name]))
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def packed(rows: Iterable[Row]) -> bytes:
    """A page of rows, to be kept."""
    return zlib.compress(json.dumps(list(rows), ensure_ascii=False, separators=(",", ":")).encode(), 1)


def unpacked(body: bytes) -> list[Row]:
    """The rows of a page."""
    return list(json.loads(zlib.decompress(body)))


def item_of(row: Row, *, number: int, split: str = NO_SPLIT, fields: Mapping[str, Field]) -> Item:
    """The item that a row stands for; `fields` are the answer fields by name."""
    external_id, data, results, version, gold, answers = row
    values = {name: results[name][0] for name in fields if name in results and results[name][0] is not None}
    return Item(
        number=number,
        external_id=external_id,
        data=data,
        values=values,
        parts=LazyParts(fields, values),
        confidence={name: results[name][1] for name in values},
        votes={name: results[name][2] for name in values},
        method={name: results[name][3] for name in values},
        instruction_version=version,
        split=split,
        gold=gold,
        answers=tuple(
            Answer(
                id=answer[0],
                worker=answer[1],
                values=answer[2],
                parts=LazyParts(fields, answer[2]),
                unclear=answer[3],
                state=answer[4],
                submitted_at=answer[5],
                instruction_version=answer[6],
            )
            for answer in answers
        ),
    )
