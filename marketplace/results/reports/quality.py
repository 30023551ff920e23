"""What is to be expected of a batch's results: their error by what they claim, and by what is known of gold."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from marketplace.aggregation.agreement.calibration import Reliability, brier_score, expected_error, reliability
from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.registry import answer_type

# With fewer known answers a table of them says more about chance than about the results.
GOLD_ENOUGH = 30
# A bin of the table has at least about so many known answers, and there are at most ten.
BIN_LEAST, BINS_MAX = 10, 10


@dataclass(frozen=True)
class Known:
    """A result of a task whose answer is known: how sure it is, and whether it is right by the key."""

    confidence: float
    right: bool


@dataclass(frozen=True)
class Claims:
    """How many results there are of about the same confidence, and their mean confidence."""

    results: int
    confidence: float


@dataclass(frozen=True)
class Bin:
    """A line of the reliability table: results of known truth whose confidence is above `low` and at most `high`."""

    low: float
    high: float
    results: int
    claimed: float | None
    right: float | None


@dataclass(frozen=True)
class FieldQuality:
    """What is to be expected of the results of one field.

    claimed     the share of wrong ones by what they claim
    expected    the same after what is known of gold, with its 95 % interval; as claimed where there is no gold
    gold        how many results of known truth there are; `gold_right` is the share of right ones among them
    calibration_error, brier    how far claims are off there; None without gold
    """

    field: str
    results: int
    claimed: float | None
    expected: float | None
    low: float | None
    high: float | None
    gold: int
    gold_right: float | None
    calibration_error: float | None
    brier: float | None
    table: tuple[Bin, ...]
    note: str


def known_of(declared: Field, confidence: float, key: Any, value: Any) -> Known:
    """A result beside its key: right where its type says so."""
    kind = answer_type(declared["type"])
    return Known(confidence, value is not None and kind.score(declared, key, value) >= kind.correct_at)


def field_quality(
    field: str, claims: Sequence[Claims], gold: Sequence[Known], *, keys_used: bool = False
) -> FieldQuality:
    """The expected error of a field's results, whose truth nobody knows, by their claims and by gold.

    Gold is a sample of the batch as far as its tasks are like the others; a note says where there is too little of it,
    or where there is none because the results were made with the keys (`keys_used`).
    """
    table = _table(gold)
    found = expected_error(
        [claim.confidence for claim in claims], table, count=[claim.results for claim in claims] if claims else None
    )
    return FieldQuality(
        field=field,
        results=sum(claim.results for claim in claims),
        claimed=_known(found.claimed),
        expected=_known(found.calibrated),
        low=_known(found.low),
        high=_known(found.high),
        gold=len(gold),
        gold_right=_known(np.mean([known.right for known in gold])) if gold else None,
        calibration_error=_known(table.calibration_error()),
        brier=_known(brier_score([known.confidence for known in gold], [float(known.right) for known in gold])),
        table=_lines(table),
        note=_note(len(gold), keys_used=keys_used),
    )


def _table(gold: Sequence[Known]) -> Reliability:
    bins = min(BINS_MAX, max(1, len(gold) // BIN_LEAST))
    return reliability([known.confidence for known in gold], [float(known.right) for known in gold], bins=bins)


def _lines(table: Reliability) -> tuple[Bin, ...]:
    columns = zip(table.low, table.high, table.known, table.claimed, table.right, strict=True)
    return tuple(
        Bin(float(low), float(high), int(known), _known(claimed), _known(right))
        for low, high, known, claimed, right in columns
        if known
    )


def _note(gold: int, *, keys_used: bool) -> str:
    if keys_used:
        return (
            "These results were made with the gold keys, which therefore cannot judge them: the error is what the"
            " results claim. Aggregate without gold to see how far such claims are right."
        )
    if not gold:
        return "No answer of this field is known: the error is what the results claim, and nobody has checked that."
    if gold < GOLD_ENOUGH:
        return f"Only {gold} answers are known: the interval is wide, and more gold would narrow it."
    return ""


def _known(number: Any) -> float | None:
    return float(number) if isfinite(number) else None
