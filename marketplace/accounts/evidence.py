"""What of a sanction's evidence may be read by the one it limits, and by a requester. Pure.

Evidence is written by rules and by people for those who judge it, and may name tasks, keys and single verdicts, which
would tell gold from other work (R37). So what is told is a list: measured figures and what they were held against.
"""

from typing import Any

METRICS = {
    "gold_accuracy", "gold_answers", "agreement", "agreements", "fast_share", "median_seconds", "skips_in_row",
    "acceptance_rate", "decided", "answers", "submitted", "income_day_micros", "review_accuracy", "spammer_score",
    "repetition", "turned", "training_score", "exam_score",
}  # fmt: skip
FIGURES = {
    "point", "low", "high", "value", "bound", "metric", "below", "above", "at_least", "at_most", "days", "weight",
    "count", "of", "since", "until", "note",
}  # fmt: skip
# Lists are told only where they hold conditions or figures: a list of anything else may follow the order of the work.
LISTS = {"all", "metrics", "conditions"}
ITEMS_MAX = 20
TEXT_MAX = 2_000


def told(evidence: dict[str, Any]) -> dict[str, Any]:
    """The part of the evidence that may be told.

    >>> told({"gold_accuracy": {"point": 0.4, "count": 12}, "tasks": [{"id": 7, "given": "cat"}], "verdicts": [1, 0]})
    {'gold_accuracy': {'point': 0.4, 'count': 12}}
    """
    found = {key: _told(str(key), inner) for key, inner in evidence.items()}
    return {key: inner for key, inner in found.items() if inner is not None}


def _told(key: str, given: Any) -> Any:
    if isinstance(given, dict):
        return told(given) or None
    if isinstance(given, list):
        if key not in LISTS:
            return None
        return [part for item in given[:ITEMS_MAX] if isinstance(item, dict) and (part := told(item))] or None
    if key not in METRICS | FIGURES:
        return None
    return given[:TEXT_MAX] if isinstance(given, str) else given
