"""Figures: progress on stderr, medians, percentiles, tables."""

import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def progress(text: str) -> None:
    """One line of progress, at once; stdout belongs to the results."""
    print(text, file=sys.stderr, flush=True)


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest in milliseconds; nothing for no samples."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {
        name: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
        for name, share in (("p50_ms", 0.50), ("p95_ms", 0.95), ("p99_ms", 0.99), ("max_ms", 1.0))
    }


def median_of(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number over runs of one shape, nested objects included; what is no number is the first's."""
    merged: dict[str, Any] = {}
    for name, first in runs[0].items():
        values = [run[name] for run in runs if name in run]
        if isinstance(first, dict):
            merged[name] = median_of(values)
        elif isinstance(first, int | float) and not isinstance(first, bool):
            merged[name] = round(statistics.median(values), 4)
        else:
            merged[name] = first
    return merged


def ratio(one: float, other: float) -> float | None:
    """one / other, rounded; None where there is nothing to divide by."""
    return round(one / other, 3) if other else None


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join("-" if cell is None else str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def give(results: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the tables, or with `as_json` one JSON object and nothing else on stdout (tables go to stderr)."""
    print(text, file=sys.stderr if as_json else sys.stdout, flush=True)
    if as_json:
        print(json.dumps(results, indent=1), flush=True)
