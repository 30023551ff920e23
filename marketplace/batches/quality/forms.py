"""The form of quality rules: what may be written, and every reason why something may not, with its place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from marketplace.batches.forms import Error, Form, is_id, is_number, is_whole
from marketplace.batches.quality.catalogue import (
    ACTIONS,
    BATCH_SCOPES,
    BOUNDS,
    CLOSED,
    COMPARISONS,
    COSTLY,
    HOURS_MAX,
    METRICS,
    PACE_MAX_S,
    PLATFORM_SCOPES,
    SKILLS,
    WINDOW_ANSWERS_MAX,
    WINDOW_CLOSED_LEAST,
    WINDOW_DAYS_MAX,
)
from marketplace.batches.quality.presets import PRESETS
from marketplace.batches.quality.ranges import Range, contradictions, range_of

RULES_MAX = 20
CONDITIONS_MAX = 10
ACTIONS_MAX = 5
NAME_MAX = 100
WORDS_MAX = 500


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
    form = _Policy(platform=platform)
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
class _Policy(Form):
    """Reads a policy and notes what is wrong with it."""

    platform: bool

    def policy(self, given: Any) -> None:
        if not isinstance(given, dict):
            self.wrong("quality", "must be an object")
            return
        if not self.is_known(given, "quality", ("preset", "rules")):
            return
        if len(given) == 2:
            self.wrong("quality", "has a preset or rules, not both")
        if "preset" in given and not (isinstance(given["preset"], str) and given["preset"] in PRESETS):
            self.wrong("quality.preset", f"must be one of {', '.join(PRESETS)}")
        if "rules" in given and self.is_list(given["rules"], "quality.rules", RULES_MAX):
            names: set[str] = set()
            for at, rule in enumerate(given["rules"]):
                self._rule(rule, f"quality.rules[{at}]", names)

    def _rule(self, given: Any, path: str, names: set[str]) -> None:
        if not isinstance(given, dict):
            self.wrong(path, "must be an object")
            return
        before = len(self.errors)
        self.is_known(given, path, ("name", "window", "scope", "all", "then", "words"))
        name = given.get("name")
        if not (isinstance(name, str) and 1 <= len(name.strip()) <= NAME_MAX and "\x00" not in name):
            self.wrong(f"{path}.name", f"must be a name of 1 to {NAME_MAX} characters")
        elif name in names:
            self.wrong(f"{path}.name", "is the name of another rule")
        else:
            names.add(name)
        words = given.get("words", "")
        if not (isinstance(words, str) and len(words) <= WORDS_MAX and "\x00" not in words):
            self.wrong(f"{path}.words", f"must be at most {WORDS_MAX} characters")
        scopes = ("batch", "project", "platform") if self.platform else ("batch", "project")
        self.is_one_of(given.get("scope", "batch"), f"{path}.scope", scopes)
        self._window(given.get("window", {}), f"{path}.window")
        conditions: Any = given.get("all")
        if conditions == []:
            self.wrong(f"{path}.all", "is empty: the rule would meet every worker")
        elif self.is_list(conditions, f"{path}.all", CONDITIONS_MAX):
            for at, condition in enumerate(conditions):
                self._condition(condition, f"{path}.all[{at}]")
        if self.is_list(given.get("then"), f"{path}.then", ACTIONS_MAX):
            for at, action in enumerate(given["then"]):
                self._action(action, f"{path}.then[{at}]")
        if len(self.errors) == before:
            self._sense(given, path)

    def _window(self, given: Any, path: str) -> None:
        if not isinstance(given, dict):
            self.wrong(path, "must be an object")
            return
        self.is_known(given, path, ("answers", "days"))
        if len(given) > 1:
            self.wrong(path, "is so many answers or so many days, not both")
        if "answers" in given and not is_whole(given["answers"], 1, WINDOW_ANSWERS_MAX):
            self.wrong(f"{path}.answers", f"must be a whole number from 1 to {WINDOW_ANSWERS_MAX}")
        if "days" in given and not (is_number(given["days"]) and 0 < given["days"] <= WINDOW_DAYS_MAX):
            self.wrong(f"{path}.days", f"must be more than 0 and at most {WINDOW_DAYS_MAX}")

    def _condition(self, given: Any, path: str) -> None:
        if not isinstance(given, dict):
            self.wrong(path, "must be an object")
            return
        self.is_known(given, path, ("metric", "bound", *COMPARISONS))
        name = given.get("metric")
        if not (isinstance(name, str) and name in METRICS):
            self.wrong(f"{path}.metric", f"is not known; there are {', '.join(METRICS)}")
            return
        metric = METRICS[name]
        bound = given.get("bound", "point")
        if self.is_one_of(bound, f"{path}.bound", BOUNDS) and bound != "point" and not metric.interval:
            self.wrong(f"{path}.bound", f"{name} has no interval")
        compared = [comparison for comparison in COMPARISONS if comparison in given]
        if len(compared) != 1:
            self.wrong(path, f"must have exactly one of {', '.join(COMPARISONS)}")
            return
        threshold = given[compared[0]]
        here = f"{path}.{compared[0]}"
        if not (is_number(threshold) and metric.least <= threshold <= metric.most):
            self.wrong(here, f"must be a number from {metric.least} to {metric.most}")
        elif metric.whole and threshold != int(threshold):
            self.wrong(here, "must be a whole number")
        elif range_of(compared[0], threshold).within(metric).is_empty():
            self.wrong(here, f"can never hold: {name} lies between {metric.least} and {metric.most}")

    def _action(self, given: Any, path: str) -> None:
        if not isinstance(given, dict):
            self.wrong(path, "must be an object")
            return
        do = given.get("do")
        if do == "ban":
            self.wrong(f"{path}.do", "is not for rules: only a person bans")
            return
        if not (isinstance(do, str) and do in ACTIONS):
            self.wrong(f"{path}.do", f"is not known; there are {', '.join(ACTIONS)}")
            return
        fields = ACTIONS[do]
        self.is_known(given, path, ("do", *fields))
        for name in fields:
            if name not in given:
                self.wrong(f"{path}.{name}", "is missing")
            else:
                self._term(do, name, given[name], f"{path}.{name}")
        if do in SKILLS and self.platform:
            self.wrong(f"{path}.do", "is not for rules of the platform: skills are a requester's")

    def _term(self, do: str, name: str, given: Any, path: str) -> None:
        if name == "scope":
            if given == "platform" and not self.platform:
                self.wrong(path, "platform is for the platform's own rules; there are batch, project, requester")
            else:
                self.is_one_of(given, path, PLATFORM_SCOPES if self.platform else BATCH_SCOPES)
        elif name == "hours":
            if not (is_number(given) and 0 < given <= HOURS_MAX):
                self.wrong(path, f"must be more than 0 and at most {HOURS_MAX}, a year")
        elif name == "pace_s":
            if not is_whole(given, 1, PACE_MAX_S):
                self.wrong(path, f"must be a whole number from 1 to {PACE_MAX_S}")
        elif name == "days":
            if not is_whole(given, 1, 30):
                self.wrong(path, "must be a whole number from 1 to 30")
        elif name == "answers":
            if not is_whole(given, 1, WINDOW_ANSWERS_MAX):
                self.wrong(path, f"must be a whole number from 1 to {WINDOW_ANSWERS_MAX}")
        elif name == "value":
            if not (is_number(given) and 0 <= given <= 1):
                self.wrong(path, "must be a number from 0 to 1")
        elif name == "by" and do == "adjust_skill":
            if not (is_number(given) and -1 <= given <= 1 and given != 0):
                self.wrong(path, "must be a number from -1 to 1, and not 0")
        elif name == "by":
            if not is_whole(given, 1, 10):
                self.wrong(path, "must be a whole number from 1 to 10")
        elif name == "skill" and not is_id(given):
            self.wrong(path, "must be an id")

    def _sense(self, given: dict[str, Any], path: str) -> None:
        """What is wrong with a rule each part of which is right."""
        conditions = [_condition(part) for part in given["all"]]
        for at, other in contradictions(conditions):
            self.wrong(f"{path}.all[{at}]", f"contradicts all[{other}]: the rule could never hold")
        size = given.get("window", {}).get("answers")
        closed = [condition.metric for condition in conditions if condition.metric in CLOSED]
        if size is not None and size < WINDOW_CLOSED_LEAST and closed:
            least = f"must be at least {WINDOW_CLOSED_LEAST} for {closed[0]}"
            self.wrong(f"{path}.window.answers", f"{least}: fewer would tell what is hidden")
        for at, condition in enumerate(conditions):
            if size is not None and condition.metric in ("answers", "gold_answers", "agreements", "decided"):
                allowed = range_of(condition.comparison, condition.threshold)
                if not allowed.meets(Range(0, size, True, True)):
                    self.wrong(f"{path}.all[{at}]", f"can never hold in a window of {size} answers")
        done = [action["do"] for action in given["then"]]
        for do in sorted({do for do in done if done.count(do) > 1 and do not in SKILLS}):
            self.wrong(f"{path}.then[{len(done) - 1 - done[::-1].index(do)}].do", f"{do} is there twice")
        if "hold" in done and "release" in done:
            self.wrong(f"{path}.then", "holds and releases at once")
        skills = [(action["skill"], at) for at, action in enumerate(given["then"]) if action["do"] in SKILLS]
        for place, (skill, at) in enumerate(skills):
            if skill in [earlier for earlier, _ in skills[:place]]:
                self.wrong(f"{path}.then[{at}].skill", "is changed twice by one rule")
        costly = [do for do in done if do in COSTLY]
        if costly and all(_meets_everybody(condition) for condition in conditions):
            self.wrong(f"{path}.all", f"holds of every worker: {', '.join(costly)} would meet everybody")


def _meets_everybody(condition: Condition) -> bool:
    """Whether a condition says nothing, or holds already of a worker of whom only his first answer is known."""
    metric = METRICS[condition.metric]
    everything = range_of(condition.comparison, condition.threshold)
    if everything.covers(Range(metric.least, metric.most, True, True)):
        return True
    return condition.holds(metric.stranger[BOUNDS.index(condition.bound)])
