"""Three policies for those who would rather not write their own.

Their thresholds were set on a simulated crowd (`tests/reputation/rules/simulated.py`): with four labels guessers are
limited after about 20 answers, constant answerers after 10 and sleepers some 30 after they turn. With two labels those
who guess in haste need about 25, who guess with care about 120 (and one in ten is not found within 300), and sleepers
40 or 75. Fewer than one honest worker in a hundred is limited within 300 answers.
"""

from typing import Any

_THREE_DAYS, _DAY = 72, 24


def _limit(hours: int) -> dict[str, Any]:
    return {"do": "limit", "scope": "project", "hours": hours}


_REPEATS = {
    "name": "repeats one answer",
    "scope": "project",
    "window": {"answers": 60},
    "all": [
        {"metric": "answers", "at_least": 8},
        {"metric": "repetition", "below": 0.002},
        # Where all tasks of a batch have one answer, who gives it is right.
        {"metric": "reliability", "below": 0.75, "bound": "low"},
    ],
    "then": [_limit(_THREE_DAYS)],
    "words": "Many of your answers were the same, more than the tasks make likely.",
}
_GUESSES = {
    "name": "answers by chance",
    "scope": "project",
    "window": {"answers": 150},
    "all": [{"metric": "answers", "at_least": 8}, {"metric": "guessing", "below": 0.005}],
    "then": [_limit(_THREE_DAYS)],
    "words": "Your answers were right no more often than guesses would be.",
}
_TELLS_NOTHING = {
    "name": "answers tell nothing",
    "scope": "project",
    "window": {"answers": 300},
    "all": [
        {"metric": "answers", "at_least": 60},
        {"metric": "guessing", "below": 0.5},
        {"metric": "spammer_score", "below": 0.03, "bound": "high"},
    ],
    "then": [_limit(_THREE_DAYS)],
    "words": "Your answers do not depend on what the tasks show.",
}
_HURRIES = {
    "name": "hurries and guesses",
    "scope": "batch",
    "window": {"answers": 40},
    "all": [
        {"metric": "answers", "at_least": 8},
        {"metric": "fast_share", "above": 0.4, "bound": "low"},
        {"metric": "guessing", "below": 0.3},
    ],
    "then": [_limit(_DAY)],
    "words": "You answered faster than careful work takes, and many answers were wrong.",
}
_TOO_FAST = {
    "name": "answers too fast",
    "scope": "batch",
    "window": {"answers": 40},
    "all": [
        {"metric": "answers", "at_least": 20},
        {"metric": "fast_share", "above": 0.6, "bound": "low"},
        {"metric": "reliability", "below": 0.7, "bound": "low"},
    ],
    "then": [{"do": "slow_down", "scope": "project", "pace_s": 10, "hours": _DAY}],
    "words": "Most of your answers came faster than nearly all careful ones.",
}
_TURNED = {
    "name": "worked well before",
    "scope": "project",
    "window": {},
    "all": [{"metric": "turned", "above": 6}],
    "then": [_limit(_THREE_DAYS)],
    "words": "Your latest answers are much worse than your own earlier ones.",
}
_SKIPS = {
    "name": "gives up many tasks",
    "scope": "batch",
    "window": {"days": 1},
    "all": [{"metric": "skips_in_row", "at_least": 15}],
    "then": [{"do": "slow_down", "scope": "batch", "pace_s": 30, "hours": 4}],
    "words": "You gave up many tasks one after another.",
}

_MAY_GUESS = {
    "name": "may be guessing",
    "scope": "project",
    "window": {"answers": 60},
    "all": [{"metric": "answers", "at_least": 8}, {"metric": "guessing", "below": 0.15}],
    "then": [{"do": "extra_gold", "scope": "project", "hours": _DAY}],
    "words": "Some of your answers look like guesses, so they are looked at more closely for a day.",
}
_FALLS = {
    "name": "is wrong too often",
    "scope": "project",
    "window": {"answers": 100},
    "all": [
        {"metric": "gold_answers", "at_least": 6},
        {"metric": "reliability", "below": 0.55, "bound": "high"},
    ],
    "then": [{"do": "escalate"}],
    "words": "More of your answers were wrong than this work can bear.",
}


def _and(rule: dict[str, Any], *actions: dict[str, Any]) -> dict[str, Any]:
    """The rule with more to do."""
    return rule | {"then": [*rule["then"], *actions]}


# His latest answers get another opinion, and a person of the requester's looks at them.
_SECOND_LOOK = ({"do": "raise_overlap", "by": 1, "answers": 50}, {"do": "ask_review"})

PRESETS: dict[str, list[dict[str, Any]]] = {
    # Only the plainest cases.
    "fast": [_REPEATS, _GUESSES, _HURRIES],
    "balanced": [_MAY_GUESS, _REPEATS, _GUESSES, _TELLS_NOTHING, _HURRIES, _TOO_FAST, _TURNED, _FALLS, _SKIPS],
    # A closer look before and another opinion afterwards.
    "careful": [
        _MAY_GUESS,
        *(_and(rule, *_SECOND_LOOK) for rule in (_REPEATS, _GUESSES, _TELLS_NOTHING, _HURRIES, _TURNED)),
        _TOO_FAST,
        _FALLS,
        _SKIPS,
    ],
}
