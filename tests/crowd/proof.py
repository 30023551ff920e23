"""What the exports prove: pure counts over exported rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tests.crowd.transport import Json

DEAD_STATES = frozenset({"rejected", "returned", "expired"})  # an answer in one of these holds no place


def value_of(row: Json, field: str) -> str:
    """The single choice in an exported row, whether the field stands alone or among `values`; '' if unclear."""
    value = row[field] if field in row else (row.get("values") or {}).get(field)
    if isinstance(value, list):
        value = value[0] if value else ""
    return "" if value is None else str(value)


def overlap_exceeded(answers: Iterable[Json], overlap: Mapping[str, int]) -> int:
    """How many tasks hold more live answers than they had places. A task unknown to `overlap` had none."""
    held = Counter(str(row["external_id"]) for row in answers if row.get("state") not in DEAD_STATES)
    return sum(count > overlap.get(task, 0) for task, count in held.items())


def duplicate_answers(answers: Iterable[Json]) -> int:
    """How many answers repeat an answer of the same worker to the same task."""
    return sum(count - 1 for count in Counter((row["external_id"], row["worker"]) for row in answers).values())


def accuracy(labels: Mapping[str, str], truth: Mapping[str, str]) -> float | None:
    """The share of the tasks in `truth` that got their true label; None if nothing is known to be true."""
    return round(sum(labels.get(task) == label for task, label in truth.items()) / len(truth), 6) if truth else None


def labels_of(results: Iterable[Json], field: str) -> dict[str, str]:
    """External id → the aggregated label of one field."""
    return {
        str(row["external_id"]): value_of({"value": row["value"]}, "value")
        for row in results
        if row.get("field", field) == field
    }


def euros(micros: int, currency: str = "EUR") -> str:
    """An amount for people, to the hundredth: `EUR 12.34`."""
    cents = round(micros / 10_000)
    return f"{currency} {cents / 100:,.2f}"
