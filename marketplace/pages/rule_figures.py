"""The figures that quality rules looked at, in words: for requesters and for staff."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.batches.quality.catalogue import COMPARISONS, METRICS
from marketplace.pages.templatetags.pages import duration, money, percent

# What must hold of a figure for the rule to hold.
BOUNDS: dict[str, str | Promise] = {
    "below": _("the rule: below %(value)s"),
    "above": _("the rule: above %(value)s"),
    "at_least": _("the rule: at least %(value)s"),
    "at_most": _("the rule: at most %(value)s"),
}
ENDS: dict[str, str | Promise] = {
    "low": _("by the low end of its range"),
    "high": _("by the high end of its range"),
}


def figures_in_words(figures: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Each figure that a rule looked at: what it is, what it was, its 95 % range, and what the rule asks."""
    return [_figure(figure) for figure in figures if figure.get("metric") in METRICS]


def _figure(figure: Mapping[str, Any]) -> dict[str, str]:
    metric, low, high = figure["metric"], figure.get("low"), figure.get("high")
    value = figure.get("value")
    ranged = METRICS[metric].interval and low is not None and high is not None
    return {
        "says": gettext(METRICS[metric].says),
        "value": _value(metric, value),
        "range": f"{_value(metric, low)} – {_value(metric, high)}" if ranged else "",
        "rests_on": str(figure["n"]) if figure.get("n") else "",
        "asked": "; ".join(_asked(figure)),
    }


def _asked(figure: Mapping[str, Any]) -> Iterator[str]:
    for name in COMPARISONS:
        if figure.get(name) is not None:
            yield str(BOUNDS[name]) % {"value": _value(figure["metric"], figure[name])}
    if figure.get("bound") in ENDS:
        yield str(ENDS[figure["bound"]])


def _value(metric: str, value: float | None) -> str:
    if value is None:
        return "–"
    if metric == "median_seconds":
        return duration(value)
    if metric.endswith("_micros"):
        return money(round(value))
    if METRICS[metric].interval and METRICS[metric].most == 1:
        return percent(value, 1)
    return str(formats.number_format(int(value) if METRICS[metric].whole else round(value, 4)))
