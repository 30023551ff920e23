"""What templates of all pages share: icons, numbers for people, and the pieces of a form."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketplace.common.money import exact
from marketplace.pages.devices import browser_and_system
from marketplace.pages.forms import FORM_KEY
from marketplace.pages.icons import SPRITE, icon_names
from marketplace.pages.vendor import import_map as import_map_text

register = template.Library()
CENT_MICROS = 10_000


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A picture beside words; with `label` it stands alone and says so. Raises `KeyError` for a name that is none."""
    if name not in icon_names():
        raise KeyError(f"there is no icon {name!r}")
    says = format_html('role="img" aria-label="{}"', label) if label else format_html('aria-hidden="{}"', "true")
    return format_html('<svg class="icon" {}><use href="{}#{}"></use></svg>', says, static(SPRITE), name)


@register.simple_tag
def import_map() -> SafeString:
    """The one element that is not a file; the policy knows its text by digest."""
    text = mark_safe(import_map_text())  # noqa: S308  # nosec B308 B703  (constants of ours)
    return format_html('<script type="importmap">{}</script>', text)


@register.simple_tag
def form_key() -> SafeString:
    """The hidden key by which `once_form` knows a form that is sent twice."""
    return format_html('<input type="hidden" name="{}" value="{}">', FORM_KEY, secrets.token_urlsafe(16))


@register.simple_tag(takes_context=True)
def live_url(context: template.Context) -> str:
    """Where pages open their sockets: the live server's own address, or this site's."""
    if settings.LIVE_URL:
        return str(settings.LIVE_URL)
    request: HttpRequest = context["request"]
    return f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"


@register.inclusion_tag("pages/components/nav_link.html", takes_context=True)
def nav_link(
    context: template.Context, names: str, label: str, icon: str = "", count: int | str = 0, about: Any = None
) -> dict[str, Any]:
    """A link of a navigation to the first of the named addresses; it is marked on any of them. `count` says how much is
    new there, `about` is what the address names, if it names something."""
    match = getattr(context.get("request"), "resolver_match", None)
    first, *_others = names.split()
    try:
        address = reverse(first, args=[] if about is None else [about])
    except NoReverseMatch:
        return {"address": None}
    here = match is not None and match.url_name in names.split()
    return {"address": address, "label": label, "icon": icon, "here": here, "count": count}


@register.filter
def money(micros: int | None, currency: str = "") -> str:
    """The amount to its last digit that is not zero, at least two, as the reader's language writes numbers.

    >>> money(20_000, "EUR")
    '0.02 EUR'
    """
    if micros is None:
        return "–"
    whole, _point, digits = exact(abs(micros)).partition(".")
    grouped = formats.number_format(int(whole), use_l10n=True, force_grouping=True)
    sign = "−" if micros < 0 else ""
    text = f"{sign}{grouped}{formats.get_format('DECIMAL_SEPARATOR')}{digits}"
    return f"{text}\u00a0{currency}" if currency else text


@register.filter
def cents(micros: float) -> int:
    """An amount that was measured, rounded to whole cents: more would say more than is known."""
    return round(micros / CENT_MICROS) * CENT_MICROS


@register.filter
def duration(seconds: float | None) -> str:
    """A length of time by its two largest units: `2 min 30 s`; under a second by its tenths: `0.4 s`."""
    if seconds is None:
        return "–"
    if 0 < seconds < 0.95:
        return _("%(n)s s") % {"n": formats.number_format(max(0.1, seconds), 1)}
    whole = round(seconds)
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [
        (days, ngettext("%(n)d day", "%(n)d days", days)),
        (hours, _("%(n)d h")),
        (minutes, _("%(n)d min")),
        (left, _("%(n)d s")),
    ]
    first = next((place for place, (number, _words) in enumerate(parts) if number), len(parts) - 1)
    shown = [words % {"n": number} for number, words in parts[first : first + 2] if number]
    return " ".join(shown) or _("%(n)d s") % {"n": 0}


@register.filter
def when(moment: datetime | None) -> SafeString:
    """A moment in words by its distance from now, with the whole of it in the title."""
    if moment is None:
        return format_html("{}", "–")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.astimezone(UTC).isoformat(timespec="seconds"),
        _whole(moment),
        _distance(moment - timezone.now(), moment),
    )


@register.filter
def exactly(moment: datetime | None) -> SafeString:
    """A moment to the minute, with its zone: for what begins or ends then."""
    if moment is None:
        return format_html("{}", "–")
    at = moment.astimezone(UTC).isoformat(timespec="seconds")
    return format_html('<time datetime="{}">{}</time>', at, _whole(moment))


def _whole(moment: datetime) -> str:
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def _distance(ahead: timedelta, moment: datetime) -> str:
    seconds = abs(ahead.total_seconds())
    if seconds < 45:
        return _("just now") if ahead <= timedelta() else _("in a moment")
    for limit, unit, one, many in (
        (3_600 * 0.95, 60, "%(n)d minute", "%(n)d minutes"),
        (86_400 * 0.95, 3_600, "%(n)d hour", "%(n)d hours"),
        (86_400 * 14, 86_400, "%(n)d day", "%(n)d days"),
    ):
        if seconds < limit:
            number = max(1, round(seconds / unit))
            words = ngettext(one, many, number) % {"n": number}
            return (_("in %(time)s") if ahead > timedelta() else _("%(time)s ago")) % {"time": words}
    return formats.date_format(timezone.localtime(moment), "DATE_FORMAT")


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """A share of one: `93 %`. What is not quite all or nothing does not look so."""
    if share is None:
        return "–"
    least = 10.0**-digits
    hundred = 100 * share
    if 0 < hundred < least:
        return f"<\u00a0{formats.number_format(least, digits)}\u00a0%"
    if 100 - least < hundred < 100:
        hundred = 100 - least
    # Which cuts off what it does not write.
    return f"{formats.number_format(round(hundred, digits), digits)}\u00a0%"


@register.filter
def of_hundred(share: float) -> str:
    """A share of one as a number for drawings, which know no language."""
    return f"{100 * min(max(share, 0.0), 1.0):.2f}"


@register.filter
def unlocalize(number: float) -> str:
    """A number as attributes of elements take it, in any language."""
    return str(number)


@register.filter
def device(user_agent: str) -> str:
    """A browser as people call it: `Firefox on Windows`."""
    browser, system = browser_and_system(user_agent)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")


@register.simple_tag
def mail_place() -> str:
    """Where mails lie that leave for nobody, in an installation that sends none."""
    return str(settings.MAIL_PLACE)
