"""Quality rules as data: a term of a batch, checked here and judged by `workers.reputation.rules`.

`{}` is no rules, `{"preset": "balanced"}` one of ours, `{"rules": [...]}` one's own. A rule says: when all of this
holds of a worker's latest answers, then do that.

    {"name": "misses hidden questions",
     "window": {"answers": 50},            or {"days": 7}, or {} for all that is known
     "scope": "project",                   whose answers are looked at: of this batch, or of all batches of the project
     "all": [{"metric": "gold_answers", "at_least": 5},
             {"metric": "gold_accuracy", "below": 0.6, "bound": "high"}],
     "then": [{"do": "limit", "scope": "project", "hours": 72}],
     "words": "Fewer than six in ten of your answers to check questions were right."}

A metric that has an interval may be compared by it: with `"bound": "high"` the rule above asks that even the upper end
of the 95 % interval is below 0.6. What is not known yet meets no condition, but an interval is there from the start.
"""

from marketplace.batches.quality.forms import Action, Condition, Rule, Window, quality_errors, rules_of

__all__ = ["Action", "Condition", "Rule", "Window", "quality_errors", "rules_of"]
