"""What of a firing is told to whom.

A worker reads the words and his own open figures, and none that is made of check questions or of agreement (R37).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.accounts.evidence import OPEN
from marketplace.batches.quality.catalogue import CLOSED
from marketplace.batches.quality.forms import Rule

# The reason of a sanction is that of the first of these that the rule looks at.
REASONS = (
    ("repetition", "repetition"),
    ("fast_share", "haste"),
    ("median_seconds", "haste"),
    ("skips_in_row", "skips"),
    ("acceptance_rate", "rejections"),
    ("guessing", "spam"),
    ("spammer_score", "spam"),
    ("agreement", "disagreement"),
    ("turned", "low_accuracy"),
    ("gold_accuracy", "low_accuracy"),
    ("reliability", "low_accuracy"),
    ("review_accuracy", "low_accuracy"),
    ("training_score", "low_accuracy"),
    ("exam_score", "low_accuracy"),
)


def told(rule: Rule, evidence: Sequence[Mapping[str, Any]], answers: int) -> dict[str, Any]:
    """What a worker may know of the evidence."""
    figures = [{k: v for k, v in figure.items() if k != "bound"} for figure in evidence if figure["metric"] in OPEN]
    return {"rule": rule.name, "answers_looked_at": answers, "figures": figures}


def looks_at_closed(rule: Rule) -> bool:
    """Whether the rule looks at a figure that the worker may not know."""
    return any(condition.metric in CLOSED for condition in rule.conditions)


def words_of(rule: Rule) -> str:
    """What the worker reads."""
    return rule.words.strip() or f"A quality rule of this work was met: {rule.name}."


def reason_of(rule: Rule) -> str:
    """The code under which a sanction by the rule is imposed."""
    looked_at = {condition.metric for condition in rule.conditions}
    return next((reason for metric, reason in REASONS if metric in looked_at), "other")
