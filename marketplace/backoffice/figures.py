"""Charts of the staff's pages, with a table beside each that says the same, and a batch's terms in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketplace.backoffice.templatetags.staff import age_in_words
from marketplace.billing.queries import AGEING, AGES, Liabilities
from marketplace.common.money import BASIS_POINTS
from marketplace.pages.charts import Chart, Point, bar_chart
from marketplace.pages.templatetags.pages import duration, money, percent
from marketplace.results.queries.market import TroubledDay


def ageing_chart(owed: Liabilities) -> Chart:
    """What is owed in one currency, by how long it has lain."""

    def amount(micros: int) -> str:
        return money(micros, owed.currency)

    points = []
    for age in AGES:
        micros, name = sum(owed.ages[what][age] for what in AGEING), age_in_words(age)
        points.append(Point(micros, name, f"{name}: {amount(micros)}"))
    return bar_chart(points, amount)


def firings_chart(days: Sequence[TroubledDay]) -> Chart:
    """How often rules held of somebody, by day."""
    return bar_chart([_point(one, one.firings, _fired(one.firings)) for one in days])


def rejections_chart(days: Sequence[TroubledDay]) -> Chart:
    """How many answers were rejected, by day."""
    return bar_chart([_point(one, one.rejections, _rejected(one.rejections)) for one in days])


def _point(one: TroubledDay, value: int, words: str) -> Point:
    day = date_format(one.day, "SHORT_DATE_FORMAT")
    return Point(value, date_format(one.day, "j M"), _("%(day)s: %(words)s") % {"day": day, "words": words})


def _fired(times: int) -> str:
    return ngettext("a rule held once", "rules held %(n)d times", times) % {"n": times}


def _rejected(answers: int) -> str:
    return ngettext("%(n)d answer rejected", "%(n)d answers rejected", answers) % {"n": answers}


def terms_of(batch: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A batch's terms (of `api.shapes.batch_shape`) as names and texts; limits that it does not have are left out."""

    def amount(micros: int | None) -> str:
        return money(micros, batch["currency"])

    def share(points: int) -> str:
        return percent(points / BASIS_POINTS, 1)

    told = [
        (_("Price of an answer"), amount(batch["price_micros"])),
        (_("Fee"), _("%(share)s, at least %(least)s") % {
            "share": share(batch["fee_basis_points"]), "least": amount(batch["fee_minimum_micros"]),
        }),
        (_("Answers a task"), str(batch["overlap"])),
        (_("Time for a task"), duration(batch["time_limit_s"])),
        (_("Accepted by itself after"), duration(batch["auto_accept_s"])),
        (_("Can be contested for"), duration(batch["appeal_s"])),
        (_("Aside for wrong rejections"), share(batch["dispute_basis_points"])),
        (_("Tasks at once"), str(batch["lease_cap"])),
        (_("Instructions"), _("version %(number)d") % {"number": batch["version"]}),
    ]  # fmt: skip
    if batch["target_hourly_micros"]:
        told.append((_("Pays an hour at least"), amount(batch["target_hourly_micros"])))
    limits = {
        "worker_limit": _("Answers of one worker"),
        "daily_limit": _("Answers of one worker a day"),
        "pair_limit": _("Tasks that two workers share"),
    }
    told += [(name, str(batch[limit])) for limit, name in limits.items() if batch[limit] is not None]
    return told


def rules_of(batch: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Those of its terms that are rules of their own."""
    names = {
        "audience": _("Audience"), "quality": _("Quality rules"), "gold": _("Check questions"),
        "aggregation": _("How answers are brought together"),
    }  # fmt: skip
    return [(name, batch[rule]) for rule, name in names.items() if batch[rule]]
