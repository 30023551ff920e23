"""What a format would lose of a project's answers, said before anything is written. Values in, values out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.projects.answer_types.base import FieldInvalid
from marketplace.results.writers.base import Writer
from marketplace.results.writers.registry import writers
from marketplace.results.writers.said import kinds_said


@dataclass(frozen=True)
class Loss:
    """What is lost of a field; of none in particular where it is empty."""

    field: str
    reason: str


@dataclass(frozen=True)
class Forecast:
    """A format beside an interface. Where it is not `possible`, `why` says what is missing."""

    name: str
    title: str
    possible: bool
    why: str
    answers: bool
    losses: list[Loss]


def forecasts(interface: Mapping[str, Any]) -> list[Forecast]:
    """All formats, those first that lose nothing, then those that lose something, then those that can say nothing."""
    found = [forecast(writer, interface) for writer in writers().values()]
    return sorted(found, key=lambda one: (not one.possible, len(one.losses), one.title))


def forecast(writer: Writer, interface: Mapping[str, Any]) -> Forecast:
    """One format, with its options as they are when nobody says otherwise. What an item loses besides, as a shape that
    covers another, is known once it is written: the data set's own losses count that."""
    why = ""
    try:
        writer.check_options({}, data=interface["data"], answer=interface["answer"])
    except FieldInvalid as invalid:
        why = "; ".join(error.message for error in invalid.errors)
    losses = [] if why else [loss for field in interface["answer"] for loss in _of_field(writer, field)]
    return Forecast(writer.name, writer.title, not why, why, writer.answers, losses)


def _of_field(writer: Writer, field: Mapping[str, Any]) -> list[Loss]:
    said = kinds_said(field)
    if not writer.needs or said <= writer.needs:
        return []
    if not said & writer.needs:
        return [Loss(field["name"], "the format has no place for this field")]
    return [
        Loss(field["name"], f"the format cannot say a {name}")
        for name in sorted(kind.__name__.lower() for kind in said - writer.needs)
    ]
