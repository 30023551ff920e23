"""What a batch's answers look like while it runs: which labels are given, and which stand beside each other. Values in,
values out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import floor, isfinite
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.labels import is_single_label
from marketplace.projects.answer_types.parts import Class, Number
from marketplace.projects.answer_types.registry import answer_type
from marketplace.results.reports.agreement import field_agreement
from marketplace.results.reports.figures import FieldAgreement, Said

# So many labels stand in a table of labels against each other, the most frequent ones; and numbers in so many steps.
MATRIX_MAX, LABELS_MAX, STEPS_MAX = 20, 200, 12
# Comparing may take this much in all: about a second, where `reports.agreement.WORK` is some seconds.
WORK = 1_000_000_000


@dataclass(frozen=True)
class Given:
    """How many answers say a label; of marks, how many marks have it; of numbers, how many lie in a step.

    `label` is empty for a step, which is from `low` to `high` (not included, but for the last).
    """

    label: str
    answers: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Matrix:
    """Labels against each other: `pairs[i][j]` pairs of answers to one task of which one says `labels[i]` and the other
    `labels[j]`; the same both ways round. `left_out` labels are too rare to stand here."""

    labels: tuple[str, ...]
    pairs: tuple[tuple[int, ...], ...]
    left_out: int


@dataclass(frozen=True)
class FieldLook:
    """All of one field: how far workers agree, what they say, and (of single labels) what stands beside what."""

    agreement: FieldAgreement
    given: tuple[Given, ...]
    matrix: Matrix | None

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "agreement": self.agreement.as_json(),
            "given": [asdict(one) for one in self.given],
            "matrix": None if self.matrix is None else asdict(self.matrix),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "FieldLook":
        """What `as_json` wrote."""
        kept = stored["matrix"]
        return cls(
            FieldAgreement.from_json(stored["agreement"]),
            tuple(Given(**one) for one in stored["given"]),
            None
            if kept is None
            else Matrix(tuple(kept["labels"]), tuple(tuple(row) for row in kept["pairs"]), kept["left_out"]),
        )


def look_at(
    declared: Field,
    compared: Sequence[Said],
    newest: Iterable[dict[str, Any]],
    *,
    work: int,
    lots: str | None = None,
) -> FieldLook:
    """A field by the answers that are compared with each other, and by the newest answers of all; `lots` as in
    `field_agreement`."""
    name = declared["name"]
    return FieldLook(
        field_agreement(declared, compared, work=work, lots=lots),
        tuple(given(declared, [values[name] for values in newest if name in values])),
        matrix(declared, compared) if is_single_label(declared) else None,
    )


def given(declared: Field, values: Sequence[Any]) -> list[Given]:
    """What the values say: labels in the order of declaration and then by how often, points in theirs, numbers in equal
    steps; nothing of what has no labels, as texts."""
    kind = answer_type(declared["type"])
    parts = [part for value in values for part in kind.parts(declared, value)]
    numbers = [float(part.number) for part in parts if isinstance(part, Number) and part.scale is None]
    if numbers:
        return _steps([number for number in numbers if isfinite(number)])
    counts: Counter[str] = Counter()
    for part in parts:
        if isinstance(part, Class):
            counts.update([" / ".join(part.labels)] if part.path else part.labels)
        elif isinstance(part, Number):
            counts[f"{part.number:g}"] += 1
        elif label := getattr(part, "label", ""):
            counts[label] += 1
    order = _order(declared)
    found = sorted(counts, key=lambda label: (order.get(label, len(order)), -counts[label], label))
    return [Given(label, counts[label]) for label in found[:LABELS_MAX]]


def matrix(declared: Field, said: Sequence[Said]) -> Matrix:
    """Every two answers to a task beside each other, for a field with one label each."""
    name = declared["name"]
    of_task: dict[int, Counter[str]] = defaultdict(Counter)
    for answer in said:
        if name in answer.values:
            of_task[answer.task_id][answer.values[name]] += 1
    pairs: Counter[tuple[str, str]] = Counter()
    for counts in of_task.values():
        for label, times in counts.items():
            pairs[label, label] += times * (times - 1) // 2
        for one, other in combinations(sorted(counts), 2):
            pairs[one, other] += counts[one] * counts[other]
    often: Counter[str] = Counter()
    for (one, other), times in pairs.items():
        often[one] += times
        often[other] += times
    order = _order(declared)
    kept = sorted(often, key=lambda label: (-often[label], label))[:MATRIX_MAX]
    kept.sort(key=lambda label: (order.get(label, len(order)), label))
    return Matrix(
        tuple(kept),
        tuple(tuple(pairs[min(one, other), max(one, other)] for other in kept) for one in kept),
        len(often) - len(kept),
    )


def _order(declared: Field) -> dict[str, int]:
    labels = [label if isinstance(label, str) else label["value"] for label in declared.get("labels", ())]
    if declared["type"] == "rating":
        labels = [str(point) for point in range(1, declared["points"] + 1)]
    return {label: at for at, label in enumerate(labels)}


def _steps(numbers: list[float]) -> list[Given]:
    if not numbers:
        return []
    low, high = min(numbers), max(numbers)
    if low == high:
        return [Given("", len(numbers), low, high)]
    distinct = len(set(numbers))
    steps = min(STEPS_MAX, distinct)
    width = (high - low) / steps
    counts = Counter(min(steps - 1, floor((number - low) / width)) for number in numbers)
    return [Given("", counts[at], low + at * width, low + (at + 1) * width) for at in range(steps)]
