"""The form of quality rules: every error names its place, and nothing that cannot be meant gets in."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.batches.quality import quality_errors, rules_of
from marketplace.batches.quality.catalogue import ACTIONS, BOUNDS, COMPARISONS, METRICS
from marketplace.batches.quality.forms import Condition
from marketplace.batches.quality.presets import PRESETS
from marketplace.batches.quality.ranges import contradictions

SKILL = "0b0bb4f4-3c09-4f0c-9d0b-9d9c5a1f4a11"
GOOD: dict[str, Any] = {
    "name": "misses",
    "window": {"answers": 50},
    "scope": "project",
    "all": [{"metric": "gold_answers", "at_least": 5}, {"metric": "gold_accuracy", "below": 0.6, "bound": "high"}],
    "then": [{"do": "limit", "scope": "project", "hours": 72}],
    "words": "Too many of your answers were wrong.",
}


def with_rule(**other: Any) -> dict[str, Any]:
    return {"rules": [GOOD | other]}


def fields(quality: Any, **more: Any) -> list[str]:
    return [error["field"] for error in quality_errors(quality, **more)]


def condition(**given: Any) -> dict[str, Any]:
    return with_rule(all=[{"metric": "agreement", "below": 0.5} | given])


def action(**given: Any) -> dict[str, Any]:
    return with_rule(then=[given])


def test_rules_that_can_be_meant_are_right_and_read_as_written() -> None:
    assert quality_errors({}) == quality_errors({"rules": [GOOD]}) == []
    rule = rules_of({"rules": [GOOD]})[0]
    assert (rule.name, rule.window.answers, rule.scope, len(rule.conditions)) == ("misses", 50, "project", 2)
    assert rule.conditions[1] == Condition("gold_accuracy", "below", 0.6, "high")
    assert rule.actions[0].do == "limit" and rule.actions[0].terms == {"scope": "project", "hours": 72}
    assert rules_of({}) == ()


@pytest.mark.parametrize("preset", ["fast", "balanced", "careful"])
def test_every_preset_is_right_by_the_same_rules_as_ones_own(preset: str) -> None:
    assert quality_errors({"preset": preset}) == quality_errors({"rules": PRESETS[preset]}) == []
    assert rules_of({"preset": preset}) and len({rule.key for rule in rules_of({"preset": preset})}) == len(
        PRESETS[preset]
    )


WRONG: dict[str, tuple[Any, list[str]]] = {
    "no object": ([], ["quality"]),
    "an unknown name": ({"rule": []}, ["quality.rule"]),
    "an unknown preset": ({"preset": "strict"}, ["quality.preset"]),
    "a preset that is none": ({"preset": ["fast"]}, ["quality.preset"]),
    "preset and rules": ({"preset": "fast", "rules": [GOOD]}, ["quality"]),
    "no rules": ({"rules": []}, ["quality.rules"]),
    "two of one name": ({"rules": [GOOD, GOOD]}, ["quality.rules[1].name"]),
    "no name": (with_rule(name=" "), ["quality.rules[0].name"]),
    "an unknown field": (with_rule(when=1), ["quality.rules[0].when"]),
    "no condition": (with_rule(all=[]), ["quality.rules[0].all"]),
    "no action": (with_rule(then=[]), ["quality.rules[0].then"]),
    "an unknown metric": (condition(metric="charm"), ["quality.rules[0].all[0].metric"]),
    "no comparison": (with_rule(all=[{"metric": "agreement"}]), ["quality.rules[0].all[0]"]),
    "two comparisons": (condition(above=0.1), ["quality.rules[0].all[0]"]),
    "a share above 1": (condition(below=1.5), ["quality.rules[0].all[0].below"]),
    "a share below 0": (condition(below=-0.1), ["quality.rules[0].all[0].below"]),
    "below the least": (condition(below=0), ["quality.rules[0].all[0].below"]),
    "no number": (condition(below="0.5"), ["quality.rules[0].all[0].below"]),
    "nan": (condition(below=float("nan")), ["quality.rules[0].all[0].below"]),
    "true": (condition(below=True), ["quality.rules[0].all[0].below"]),
    "half an answer": (with_rule(all=[{"metric": "answers", "above": 2.5}]), ["quality.rules[0].all[0].above"]),
    "an unknown bound": (condition(bound="middle"), ["quality.rules[0].all[0].bound"]),
    "the bound of a count": (
        with_rule(all=[{"metric": "answers", "above": 9, "bound": "low"}]),
        ["quality.rules[0].all[0].bound"],
    ),
    "no window": (with_rule(window={"answers": 0}), ["quality.rules[0].window.answers"]),
    "days and answers": (with_rule(window={"answers": 9, "days": 1}), ["quality.rules[0].window"]),
    "an unknown scope": (with_rule(scope="world"), ["quality.rules[0].scope"]),
    "a ban": (action(do="ban"), ["quality.rules[0].then[0].do"]),
    "an unknown action": (action(do="scold"), ["quality.rules[0].then[0].do"]),
    "no hours": (action(do="limit", scope="batch"), ["quality.rules[0].then[0].hours"]),
    "0 hours": (action(do="limit", scope="batch", hours=0), ["quality.rules[0].then[0].hours"]),
    "more than a year": (action(do="limit", scope="batch", hours=8_761), ["quality.rules[0].then[0].hours"]),
    "the platform": (action(do="limit", scope="platform", hours=1), ["quality.rules[0].then[0].scope"]),
    "no skill": (action(do="set_skill", skill="x", value=1), ["quality.rules[0].then[0].skill"]),
    "a skill above 1": (action(do="set_skill", skill=SKILL, value=2), ["quality.rules[0].then[0].value"]),
    "by nothing": (action(do="adjust_skill", skill=SKILL, by=0), ["quality.rules[0].then[0].by"]),
    "too much overlap": (action(do="raise_overlap", by=99, answers=5), ["quality.rules[0].then[0].by"]),
    "what an action has not": (action(do="notify", hours=1), ["quality.rules[0].then[0].hours"]),
    "hold and release": (
        with_rule(then=[{"do": "hold", "days": 1}, {"do": "release"}]),
        ["quality.rules[0].then"],
    ),
    "twice the same": (
        with_rule(then=[{"do": "escalate"}, {"do": "escalate"}]),
        ["quality.rules[0].then[1].do"],
    ),
    "a window of too few answers on what is hidden": (
        with_rule(window={"answers": 9}),
        ["quality.rules[0].window.answers"],
    ),
    "more answers than the window has": (
        with_rule(window={"answers": 10}, all=[{"metric": "answers", "above": 10}]),
        ["quality.rules[0].all[0]"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_at_its_place(case: str) -> None:
    quality, expected = WRONG[case]
    errors = quality_errors(quality)
    assert [error["field"] for error in errors] == expected
    assert all(error["message"] for error in errors)


def test_a_narrow_window_is_right_where_nothing_hidden_is_looked_at() -> None:
    assert fields(with_rule(window={"answers": 10})) == []
    assert fields(with_rule(window={"answers": 1}, all=[{"metric": "fast_share", "above": 0.5}])) == []
    errors = quality_errors(with_rule(window={"answers": 1}, all=[{"metric": "agreements", "at_least": 1}]))
    assert "agreements" in errors[0]["message"]


def test_a_platforms_own_rules_may_reach_everywhere_and_touch_no_ones_skills() -> None:
    everywhere = action(do="limit", scope="platform", hours=1)
    assert fields(everywhere, platform=True) == []
    assert fields(with_rule(scope="platform"), platform=True) == []
    assert fields(with_rule(scope="platform")) == ["quality.rules[0].scope"]
    skill = action(do="set_skill", skill=SKILL, value=1)
    assert fields(skill, platform=True) == ["quality.rules[0].then[0].do"] and fields(skill) == []


@pytest.mark.parametrize(
    "parts",
    [
        [("agreement", "above", 0.8, "point"), ("agreement", "below", 0.6, "point")],
        [("agreement", "above", 0.8, "low"), ("agreement", "below", 0.6, "high")],
        [("agreement", "at_least", 0.8, "low"), ("agreement", "below", 0.8, "point")],
        [("answers", "above", 3, "point"), ("answers", "below", 4, "point")],
    ],
)
def test_conditions_that_contradict_each_other_are_refused(parts: list[tuple[str, str, float, str]]) -> None:
    given = [{"metric": m, c: x} | ({} if b == "point" else {"bound": b}) for m, c, x, b in parts]
    assert fields(with_rule(all=given)) == ["quality.rules[0].all[1]"]
    assert "contradicts all[0]" in quality_errors(with_rule(all=given))[0]["message"]
    # Each alone can hold; together the other way round they can too.
    for one in given:
        assert not any("contradicts" in e["message"] for e in quality_errors(with_rule(all=[one])))


def test_what_an_interval_leaves_open_is_no_contradiction() -> None:
    wide = [Condition("agreement", "below", 0.4, "low"), Condition("agreement", "above", 0.6, "high")]
    assert list(contradictions(wide)) == []


@pytest.mark.parametrize(
    "everybody",
    [
        [{"metric": "submitted", "at_least": 0}],
        [{"metric": "submitted", "at_least": 1}],
        [{"metric": "gold_accuracy", "at_most": 1}],
        [{"metric": "skips_in_row", "below": 5}],
        [{"metric": "gold_accuracy", "below": 0.6, "bound": "low"}],
        [{"metric": "turned", "at_least": 0}, {"metric": "guessing", "above": 0.5}],
    ],
)
@pytest.mark.parametrize("do", [{"do": "limit", "scope": "batch", "hours": 1}, {"do": "escalate"}])
def test_a_rule_that_would_limit_everybody_is_refused_with_the_reason(
    everybody: list[dict[str, Any]], do: dict[str, Any]
) -> None:
    errors = quality_errors(with_rule(all=everybody, then=[do]))
    assert [error["field"] for error in errors] == ["quality.rules[0].all"]
    assert "every worker" in errors[0]["message"]
    # Telling everybody something is nothing to refuse, and one condition that not everybody meets is enough.
    assert quality_errors(with_rule(all=everybody, then=[{"do": "notify"}])) == []
    assert quality_errors(with_rule(all=[*everybody, {"metric": "decided", "at_least": 3}], then=[do])) == []


WORDS = ["fast", "limit", "ban", "batch", "agreement", "low", SKILL]
NAMES = ["preset", "rules", "name", "all", "then", "do", "metric", "below", "window", "scope", "hours"]
LEAVES = st.none() | st.booleans() | st.integers(-5, 9_000) | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=300)
def test_whatever_is_given_is_read_or_refused_and_never_fails(quality: Any) -> None:
    errors = quality_errors(quality)
    assert all(error["field"].startswith("quality") and error["message"] for error in errors)
    if not errors:
        rules_of(quality)


CONDITIONS = st.builds(
    lambda metric, comparison, share, bound: {
        "metric": metric,
        comparison: _fitting(metric, share),
        **({"bound": bound} if METRICS[metric].interval else {}),
    },
    st.sampled_from(sorted(METRICS)),
    st.sampled_from(COMPARISONS),
    # Far enough apart that the figures tried below lie between any two.
    st.integers(0, 1_000).map(lambda thousandths: thousandths / 1_000),
    st.sampled_from(BOUNDS),
)


def _fitting(metric: str, share: float) -> float:
    least, most = METRICS[metric].least, METRICS[metric].most
    threshold = least + share * (min(most, 1_000) - least)
    return int(threshold) if METRICS[metric].whole else threshold


@given(st.lists(CONDITIONS, min_size=1, max_size=4))
@settings(max_examples=300)
def test_conditions_some_figure_meets_are_never_called_contradictory(conditions: list[dict[str, Any]]) -> None:
    read = [
        Condition(c["metric"], next(k for k in COMPARISONS if k in c), c[next(k for k in COMPARISONS if k in c)],
                  c.get("bound", "point"))
        for c in conditions
    ]  # fmt: skip
    contradicted = set(contradictions(read))
    for at, one in enumerate(read):
        for before, other in enumerate(read[:at]):
            if one.metric != other.metric:
                assert (at, before) not in contradicted
                continue
            metric = METRICS[one.metric]
            tried = {metric.least, metric.most}
            for x in (one.threshold, other.threshold):
                tried |= {x, x + (1 if metric.whole else 1e-7), x - (1 if metric.whole else 1e-7)}
            between = (one.threshold + other.threshold) / 2
            tried |= {int(between) if metric.whole else between}
            values = sorted(v for v in tried if metric.least <= v <= metric.most)
            meets = any(
                one.holds((low, point, high)[BOUNDS.index(one.bound)])
                and other.holds((low, point, high)[BOUNDS.index(other.bound)])
                for low in values
                for point in values
                for high in values
                if low <= point <= high
            )
            assert meets == ((at, before) not in contradicted)


@given(st.sampled_from(sorted(ACTIONS)), st.dictionaries(st.sampled_from(["scope", "hours", "by"]), st.integers()))
def test_a_key_changes_with_what_the_rule_says(do: str, terms: dict[str, Any]) -> None:
    one = rules_of({"rules": [GOOD | {"then": [{"do": do} | terms]}]})[0]
    same = rules_of(json.loads(json.dumps({"rules": [GOOD | {"then": [{"do": do} | terms]}]})))[0]
    other = rules_of({"rules": [GOOD | {"name": "another"}]})[0]
    assert one.key == same.key != other.key
    assert rules_of({"rules": [GOOD]}, platform=True)[0].key != rules_of({"rules": [GOOD]})[0].key
