"""The form of quality rules: what may be written, and every reason why something may not, with its place."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from marketplace.batches.quality.catalogue import (
    ACTIONS,
    BATCH_SCOPES,
    BOUNDS,
    COMPARISONS,
    COSTLY,
    HOURS_MAX,
    METRICS,
    PACE_MAX_S,
    PLATFORM_SCOPES,
    SKILLS,
    WINDOW_ANSWERS_MAX,
    WINDOW_DAYS_MAX,
)
from marketplace.batches.quality.presets import PRESETS
from marketplace.batches.quality.ranges import Range, contradictions, range_of

RULES_MAX = 20
CONDITIONS_MAX = 10
ACTIONS_MAX = 5
NAME_MAX = 100
WORDS_MAX = 500
ERRORS_MAX = 100
PATH_MAX = 200
Error = dict[str, str]


@dataclass(frozen=True)
class Window:
    """The latest so many answers, or days, or all that is known."""

    answers: int | None = None
    days: float | None = None


@dataclass(frozen=True)
class Condition:
    """That a metric, or an end of its interval, compares so with the threshold."""

    metric: str
    comparison: str
    threshold: float
    bound: str = "point"

    def holds(self, value: float | None) -> bool:
        """Whether it holds of the value; what is not known meets no condition."""
        return value is not None and range_of(self.comparison, self.threshold).contains(value)


@dataclass(frozen=True)
class Action:
    """What is to be done, with its terms."""

    do: str
    terms: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Rule:
    """When all conditions hold of a worker's window, then do this. `key` is the same for the same rule anywhere."""

    name: str
    window: Window
    scope: str
    conditions: tuple[Condition, ...]
    actions: tuple[Action, ...]
    words: str
    given: dict[str, Any] = field(hash=False, compare=False)
    platform: bool = False

    @property
    def key(self) -> str:
        """A name that changes with what the rule says, and with who made it."""
        said = json.dumps(self.given, sort_keys=True, ensure_ascii=True).encode()
        return f"{'platform' if self.platform else 'batch'}:{sha256(said).hexdigest()[:24]}"


def rules_of(quality: dict[str, Any], *, platform: bool = False) -> tuple[Rule, ...]:
    """The rules of a policy that was found to be right."""
    given = PRESETS[quality["preset"]] if "preset" in quality else quality.get("rules", [])
    return tuple(
        Rule(
            name=rule["name"],
            window=Window(**rule.get("window", {})),
            scope=rule.get("scope", "batch"),
            conditions=tuple(_condition(part) for part in rule["all"]),
            actions=tuple(Action(a["do"], {k: v for k, v in a.items() if k != "do"}) for a in rule["then"]),
            words=rule.get("words", ""),
            given=rule,
            platform=platform,
        )
        for rule in given
    )


def quality_errors(quality: Any, *, platform: bool = False) -> list[Error]:
    """What is wrong with a policy. Every error names its place, as in `quality.rules[1].all[0].metric`."""
    form = _Form(platform=platform)
    form.policy(quality)
    return form.errors


def skills_named(quality: dict[str, Any]) -> Iterator[tuple[UUID, str]]:
    """The skills that a policy of right form names, each with its place."""
    for at, rule in enumerate(quality.get("rules", [])):
        for place, action in enumerate(rule["then"]):
            if action["do"] in SKILLS:
                yield UUID(action["skill"]), f"quality.rules[{at}].then[{place}].skill"


def _condition(given: dict[str, Any]) -> Condition:
    comparison = next(name for name in COMPARISONS if name in given)
    return Condition(given["metric"], comparison, given[comparison], given.get("bound", "point"))


@dataclass
class _Form:
    """Reads a policy and notes what is wrong with it."""

    platform: bool
    errors: list[Error] = field(default_factory=list)

    def policy(self, given: Any) -> None:
        if not isinstance(given, dict):
            self._wrong("quality", "must be an object")
            return
        if self._unknown(given, "quality", ("preset", "rules")):
            return
        if len(given) == 2:
            self._wrong("quality", "has a preset or rules, not both")
        if "preset" in given and not (isinstance(given["preset"], str) and given["preset"] in PRESETS):
            self._wrong("quality.preset", f"must be one of {', '.join(PRESETS)}")
        if "rules" in given and self._is_list(given["rules"], "quality.rules", RULES_MAX):
            names: set[str] = set()
            for at, rule in enumerate(given["rules"]):
                self._rule(rule, f"quality.rules[{at}]", names)

    def _rule(self, given: Any, path: str, names: set[str]) -> None:
        if not isinstance(given, dict):
            self._wrong(path, "must be an object")
            return
        before = len(self.errors)
        self._unknown(given, path, ("name", "window", "scope", "all", "then", "words"))
        name = given.get("name")
        if not (isinstance(name, str) and 1 <= len(name.strip()) <= NAME_MAX and "\x00" not in name):
            self._wrong(f"{path}.name", f"must be a name of 1 to {NAME_MAX} characters")
        elif name in names:
            self._wrong(f"{path}.name", "is the name of another rule")
        else:
            names.add(name)
        words = given.get("words", "")
        if not (isinstance(words, str) and len(words) <= WORDS_MAX and "\x00" not in words):
            self._wrong(f"{path}.words", f"must be at most {WORDS_MAX} characters")
        scopes = ("batch", "project", "platform") if self.platform else ("batch", "project")
        self._one_of(given.get("scope", "batch"), f"{path}.scope", scopes)
        self._window(given.get("window", {}), f"{path}.window")
        conditions: Any = given.get("all")
        if conditions == []:
            self._wrong(f"{path}.all", "is empty: the rule would meet every worker")
        elif self._is_list(conditions, f"{path}.all", CONDITIONS_MAX):
            for at, condition in enumerate(conditions):
                self._condition(condition, f"{path}.all[{at}]")
        if self._is_list(given.get("then"), f"{path}.then", ACTIONS_MAX):
            for at, action in enumerate(given["then"]):
                self._action(action, f"{path}.then[{at}]")
        if len(self.errors) == before:
            self._sense(given, path)

    def _window(self, given: Any, path: str) -> None:
        if not isinstance(given, dict):
            self._wrong(path, "must be an object")
            return
        self._unknown(given, path, ("answers", "days"))
        if len(given) > 1:
            self._wrong(path, "is so many answers or so many days, not both")
        if "answers" in given and not _is_whole(given["answers"], 1, WINDOW_ANSWERS_MAX):
            self._wrong(f"{path}.answers", f"must be a whole number from 1 to {WINDOW_ANSWERS_MAX}")
        if "days" in given and not (_is_number(given["days"]) and 0 < given["days"] <= WINDOW_DAYS_MAX):
            self._wrong(f"{path}.days", f"must be more than 0 and at most {WINDOW_DAYS_MAX}")

    def _condition(self, given: Any, path: str) -> None:
        if not isinstance(given, dict):
            self._wrong(path, "must be an object")
            return
        self._unknown(given, path, ("metric", "bound", *COMPARISONS))
        name = given.get("metric")
        if not (isinstance(name, str) and name in METRICS):
            self._wrong(f"{path}.metric", f"is not known; there are {', '.join(METRICS)}")
            return
        metric = METRICS[name]
        bound = given.get("bound", "point")
        if self._one_of(bound, f"{path}.bound", BOUNDS) and bound != "point" and not metric.interval:
            self._wrong(f"{path}.bound", f"{name} has no interval")
        compared = [comparison for comparison in COMPARISONS if comparison in given]
        if len(compared) != 1:
            self._wrong(path, f"must have exactly one of {', '.join(COMPARISONS)}")
            return
        threshold = given[compared[0]]
        here = f"{path}.{compared[0]}"
        if not (_is_number(threshold) and metric.least <= threshold <= metric.most):
            self._wrong(here, f"must be a number from {metric.least} to {metric.most}")
        elif metric.whole and threshold != int(threshold):
            self._wrong(here, "must be a whole number")
        elif range_of(compared[0], threshold).within(metric).is_empty():
            self._wrong(here, f"can never hold: {name} lies between {metric.least} and {metric.most}")

    def _action(self, given: Any, path: str) -> None:
        if not isinstance(given, dict):
            self._wrong(path, "must be an object")
            return
        do = given.get("do")
        if do == "ban":
            self._wrong(f"{path}.do", "is not for rules: only a person bans")
            return
        if not (isinstance(do, str) and do in ACTIONS):
            self._wrong(f"{path}.do", f"is not known; there are {', '.join(ACTIONS)}")
            return
        fields = ACTIONS[do]
        self._unknown(given, path, ("do", *fields))
        for name in fields:
            if name not in given:
                self._wrong(f"{path}.{name}", "is missing")
            else:
                self._term(do, name, given[name], f"{path}.{name}")
        if do in SKILLS and self.platform:
            self._wrong(f"{path}.do", "is not for rules of the platform: skills are a requester's")

    def _term(self, do: str, name: str, given: Any, path: str) -> None:
        if name == "scope":
            if given == "platform" and not self.platform:
                self._wrong(path, "platform is for the platform's own rules; there are batch, project, requester")
            else:
                self._one_of(given, path, PLATFORM_SCOPES if self.platform else BATCH_SCOPES)
        elif name == "hours":
            if not (_is_number(given) and 0 < given <= HOURS_MAX):
                self._wrong(path, f"must be more than 0 and at most {HOURS_MAX}, a year")
        elif name == "pace_s":
            if not _is_whole(given, 1, PACE_MAX_S):
                self._wrong(path, f"must be a whole number from 1 to {PACE_MAX_S}")
        elif name == "days":
            if not _is_whole(given, 1, 30):
                self._wrong(path, "must be a whole number from 1 to 30")
        elif name == "answers":
            if not _is_whole(given, 1, WINDOW_ANSWERS_MAX):
                self._wrong(path, f"must be a whole number from 1 to {WINDOW_ANSWERS_MAX}")
        elif name == "value":
            if not (_is_number(given) and 0 <= given <= 1):
                self._wrong(path, "must be a number from 0 to 1")
        elif name == "by" and do == "adjust_skill":
            if not (_is_number(given) and -1 <= given <= 1 and given != 0):
                self._wrong(path, "must be a number from -1 to 1, and not 0")
        elif name == "by":
            if not _is_whole(given, 1, 10):
                self._wrong(path, "must be a whole number from 1 to 10")
        elif name == "skill" and not _is_id(given):
            self._wrong(path, "must be an id")

    def _sense(self, given: dict[str, Any], path: str) -> None:
        """What is wrong with a rule each part of which is right."""
        conditions = [_condition(part) for part in given["all"]]
        for at, other in contradictions(conditions):
            self._wrong(f"{path}.all[{at}]", f"contradicts all[{other}]: the rule could never hold")
        size = given.get("window", {}).get("answers")
        for at, condition in enumerate(conditions):
            if size is not None and condition.metric in ("answers", "gold_answers", "agreements", "decided"):
                allowed = range_of(condition.comparison, condition.threshold)
                if not allowed.meets(Range(0, size, True, True)):
                    self._wrong(f"{path}.all[{at}]", f"can never hold in a window of {size} answers")
        done = [action["do"] for action in given["then"]]
        for do in sorted({do for do in done if done.count(do) > 1 and do not in SKILLS}):
            self._wrong(f"{path}.then[{len(done) - 1 - done[::-1].index(do)}].do", f"{do} is there twice")
        if "hold" in done and "release" in done:
            self._wrong(f"{path}.then", "holds and releases at once")
        skills = [(action["skill"], at) for at, action in enumerate(given["then"]) if action["do"] in SKILLS]
        for place, (skill, at) in enumerate(skills):
            if skill in [earlier for earlier, _ in skills[:place]]:
                self._wrong(f"{path}.then[{at}].skill", "is changed twice by one rule")
        costly = [do for do in done if do in COSTLY]
        if costly and all(_meets_everybody(condition) for condition in conditions):
            self._wrong(f"{path}.all", f"holds of every worker: {', '.join(costly)} would meet everybody")

    def _unknown(self, given: dict[str, Any], path: str, names: tuple[str, ...]) -> bool:
        unknown = [name for name in given if name not in names]
        for name in unknown:
            self._wrong(f"{path}.{name}", f"is not known; there are {', '.join(names)}")
        return bool(unknown)

    def _one_of(self, given: Any, path: str, names: tuple[str, ...]) -> bool:
        if isinstance(given, str) and given in names:
            return True
        self._wrong(path, f"must be one of {', '.join(names)}")
        return False

    def _is_list(self, given: Any, path: str, most: int) -> bool:
        if isinstance(given, list) and 1 <= len(given) <= most:
            return True
        self._wrong(path, f"must be a list of 1 to {most}")
        return False

    def _wrong(self, path: str, message: str) -> None:
        if len(self.errors) < ERRORS_MAX:
            self.errors.append({"field": path[:PATH_MAX], "message": message})


def _meets_everybody(condition: Condition) -> bool:
    """Whether a condition says nothing, or holds already of a worker of whom only his first answer is known."""
    metric = METRICS[condition.metric]
    everything = range_of(condition.comparison, condition.threshold)
    if everything.covers(Range(metric.least, metric.most, True, True)):
        return True
    return condition.holds(metric.stranger[BOUNDS.index(condition.bound)])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_id(value: Any) -> bool:
    try:
        return str(UUID(value)) == value
    except (ValueError, TypeError, AttributeError):
        return False
