"""What every writer of files can do, and what it is given.

To add a format is to add a module to this package with `WRITERS`, a tuple of writers; `registry.py` finds them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.parts import Part

EXAMPLES = 5
NO_SPLIT = ""


@dataclass(frozen=True)
class Answer:
    """One worker's answer to an item.

    `worker` is the requester's name for the worker, `submitted_at` ISO 8601 to the minute, `state` accepted or upheld.
    An `unclear` answer has no values.
    """

    id: str
    worker: str
    values: Mapping[str, Any]
    parts: Mapping[str, Sequence[Part]]
    unclear: bool
    state: str
    submitted_at: str
    instruction_version: int


@dataclass(frozen=True)
class Item:
    """One task and what is known of it.

    `number` counts the items of the data set from 0, through all splits. `values`, `parts` and `confidence` are those
    of the result, by the name of the answer field; a field without a result is absent from all three. `votes` is from
    how many answers each result was made, `method` how. `split` is empty where the data set has none, and `gold` says
    that the requester brought the item with its answer. `answers` are empty unless the data set was asked for with
    them.
    """

    number: int
    external_id: str
    data: Mapping[str, Any]
    values: Mapping[str, Any]
    parts: Mapping[str, Sequence[Part]]
    confidence: Mapping[str, float] = field(default_factory=dict)
    votes: Mapping[str, int] = field(default_factory=dict)
    method: Mapping[str, str] = field(default_factory=dict)
    instruction_version: int = 1
    split: str = NO_SPLIT
    gold: bool = False
    answers: Sequence[Answer] = ()


@dataclass(frozen=True)
class Items:
    """The items of a data set, in the order of their numbers. Walked again they are the same; one is in memory at a
    time, and a writer keeps none.

    data       the declared data fields of the interface (what workers are shown)
    answer     the declared answer fields; their labels are in the order in which a writer may number them
    splits     the names of the splits, ("",) where there are none
    name       of the batch, for formats that say one
    about      what else a format may say of the batch: `project`, `reward`, `currency`, `overlap`, `time_limit_s`
    stretch    which stretch of all items these are, from 0, and `stretches` how many there are (see `Writer`)
    """

    data: tuple[Field, ...]
    answer: tuple[Field, ...]
    walk: Callable[[], Iterator[Item]]
    splits: tuple[str, ...] = (NO_SPLIT,)
    name: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    stretch: int = 0
    stretches: int = 1

    def __iter__(self) -> Iterator[Item]:
        return self.walk()

    def of_split(self, split: str) -> Iterator[Item]:
        """The items of one split, in order."""
        return (item for item in self.walk() if item.split == split)


class Sink(Protocol):
    """Where the files of one data set go."""

    def open(self, path: str, *, compress: bool = True) -> AbstractContextManager[BinaryIO]:
        """A new file to write bytes to, in order. Several may be open at once; each comes into the archive when it is
        closed. `compress=False` is for what is compressed already (PNG, Parquet).

        `path` is relative, with `/` between folders, without `..`. Raises `ValueError` for any other path and for one
        that was written before.
        """
        ...

    def append(self, path: str) -> AbstractContextManager[BinaryIO]:
        """The end of a file that grows from stretch to stretch; it is made where it is not there. For writers that work
        in stretches, and for few files: it is compressed, and may be opened for appending again and again."""
        ...


class Losses:
    """What a format could not say, by reason: how often, and which items for example."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], list[str]] = {}

    def add(self, reason: str, *, field: str = "", item: str = "", count: int = 1) -> None:
        """Count a loss. `reason` is one sentence without names or numbers of items, so that few reasons are many
        losses; `field` an answer or data field, `item` an external id."""
        if count < 1:
            return
        self._counts[field, reason] += count
        known = self._examples.setdefault((field, reason), [])
        if item and len(known) < EXAMPLES and item not in known:
            known.append(item)

    def take(self, told: Iterable[Mapping[str, Any]]) -> None:
        """Count what another counted, as `told` says it."""
        for loss in told:
            key = (loss["field"], loss["reason"])
            self._counts[key] += loss["count"]
            known = self._examples.setdefault(key, [])
            known += [item for item in loss["items"] if item not in known][: EXAMPLES - len(known)]

    @property
    def total(self) -> int:
        """All losses."""
        return self._counts.total()

    def told(self) -> list[dict[str, Any]]:
        """[{field, reason, count, items}], by field and reason; `items` has at most five."""
        return [
            {"field": name, "reason": reason, "count": count, "items": self._examples[name, reason]}
            for (name, reason), count in sorted(self._counts.items())
        ]


class Writer(Protocol):
    """One format.

    name     as requests name it
    title    for people, with the version of the format
    needs    the kinds of parts that it can say; all others are counted as losses. Empty: it says values as they are
    answers  whether it writes the single answers, so that items must come with them

    A writer may have `in_stretches` besides, which is true: then `write` is called for one stretch of items after the
    other, each call is kept before the next begins, and a process that dies loses one stretch. It keeps nothing between
    the calls, and adds to files by `Sink.append`; what a file begins with it writes in stretch 0, for all splits. A
    writer without it is given all items at once, and has to be done in 40 seconds.
    """

    name: str
    title: str
    needs: frozenset[type]
    answers: bool

    def check_options(
        self, options: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]
    ) -> dict[str, Any]:
        """The options with defaults filled in; checking them again changes nothing.

        Raises `FieldInvalid` (of `answer_types.base`) with all that is wrong: an option that is not known, a field that
        is not there, an interface of which the format can say nothing.
        """
        ...

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        """Write all files. The same items and options give the same bytes: no clock, no chance, no order of a set.

        Memory does not grow with the number of items. Items of a split go to files of their own where there are splits.
        """
        ...


def count_unsaid(writer: Writer, item: Item, losses: Losses, fields: Iterable[str] | None = None) -> None:
    """Count the parts of the item's result that are of a kind which the writer cannot say; of some fields or of all."""
    for name in item.parts if fields is None else fields:
        for part in item.parts.get(name, ()):
            if type(part) not in writer.needs:
                kind = type(part).__name__.lower()
                losses.add(f"the format cannot say a {kind}", field=name, item=item.external_id)
