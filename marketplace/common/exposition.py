"""Figures in the text form that Prometheus reads (version 0.0.4). Values in, text out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "touchstone_"


@dataclass(frozen=True)
class Gauge:
    """A figure that goes up and down, for each set of labels; with none, nothing is known of it now.

    The name says the unit; labels name kinds of things, never people.
    """

    name: str
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]


def gauge(name: str, text: str, value: float | None, **labels: str) -> Gauge:
    """One with a single value; None where it is not known."""
    return Gauge(name, text, () if value is None else ((labels, value),))


def gauges(name: str, text: str, label: str, values: Mapping[str, float | None]) -> Gauge:
    """One with a value for each thing of a kind, by its name."""
    return Gauge(name, text, tuple(({label: thing}, value) for thing, value in values.items() if value is not None))


def exposition(found: Iterable[Gauge]) -> str:
    """The text. A name is said once, with what it means."""
    lines = []
    for one in found:
        name = PREFIX + one.name
        lines += [f"# HELP {name} {_escaped(one.help)}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(labels)} {value!r}" for labels, value in one.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
