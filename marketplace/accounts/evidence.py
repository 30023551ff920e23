"""What of a sanction's evidence may be read by the one it limits, and by a requester. Pure.

Evidence is written by rules and by people for those who judge it, and may name tasks, keys and single verdicts, which
would tell gold from other work (R37). So what is told is a list: measured figures and what they were held against.
"""

from typing import Any

# The figures of his own that a worker may know: those that rest on nothing hidden. How often he met check questions and
# how he did there, or how often he agrees with others, would tell him which answers were looked at.
OPEN = (
    "fast_share", "median_seconds", "skips_in_row", "acceptance_rate", "decided", "answers", "submitted",
    "income_day_micros", "repetition", "review_accuracy", "training_score", "exam_score",
)  # fmt: skip
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

    >>> told({"fast_share": {"point": 0.4, "count": 12}, "tasks": [{"id": 7, "given": "cat"}], "gold_accuracy": 0.5})
    {'fast_share': {'point': 0.4, 'count': 12}}
    """
    if evidence.get("metric", OPEN[0]) not in OPEN:
        return {}
    found = {key: _told(str(key), inner) for key, inner in evidence.items()}
    return {key: inner for key, inner in found.items() if inner is not None}


def _told(key: str, given: Any) -> Any:
    if isinstance(given, list):
        if key not in LISTS:
            return None
        return [part for item in given[:ITEMS_MAX] if isinstance(item, dict) and (part := told(item))] or None
    if key not in OPEN and key not in FIGURES:
        return None
    if isinstance(given, dict):
        return told(given) or None
    return given[:TEXT_MAX] if isinstance(given, str) else given
