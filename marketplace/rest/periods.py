"""Which period and currency a statement is asked for, from the query."""

import re
from collections.abc import Iterable
from datetime import date, timedelta

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from marketplace.common.errors import Unprocessable
from marketplace.ledger.periods import Period, today
from marketplace.rest.ask import refuse_unknown

DAYS_MAX = 366
PERIOD_PARAMETERS = [
    OpenApiParameter(
        "from", OpenApiTypes.DATE, description="The first day, by UTC; the first of this month where absent"
    ),
    OpenApiParameter("to", OpenApiTypes.DATE, description="The last day, included; today where absent"),
    OpenApiParameter("currency", {"type": "string", "pattern": "^[A-Z]{3}$", "default": "EUR"}),
]
NAMES = ("from", "to", "currency")


def period_asked(request: Request, *, also: Iterable[str] = ()) -> tuple[Period, str]:
    """The period, of at most a year, and the currency. Parameters but these and `also` are refused.

    Raises `Unprocessable` naming the parameter, `UnknownField`.
    """
    refuse_unknown(request.query_params, {*NAMES, *also})
    now = today()
    last = _day(request, "to", now)
    first = _day(request, "from", min(now.replace(day=1), last))
    if first > last:
        raise _wrong("from", "is after `to`")
    if last - first >= timedelta(days=DAYS_MAX):
        raise _wrong("from", f"is more than {DAYS_MAX} days before the end")
    return Period(first, last), currency_asked(request)


def currency_asked(request: Request) -> str:
    """Three capitals; euros where absent."""
    currency = request.query_params.get("currency", "EUR")
    if not re.fullmatch(r"[A-Z]{3}", currency, re.ASCII):
        raise _wrong("currency", "is three capitals")
    return currency


def month_of(text: str) -> date:
    """The first day of a month that is written YYYY-MM; raises `Unprocessable` naming the field `month`."""
    try:
        if not re.fullmatch(r"20\d\d-\d\d", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise _wrong("month", "is a month as YYYY-MM") from None


def _day(request: Request, name: str, otherwise: date) -> date:
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    try:
        if not re.fullmatch(r"20\d\d-\d\d-\d\d", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(name, "is a day of this century as YYYY-MM-DD") from None


def _wrong(field: str, message: str) -> Unprocessable:
    return Unprocessable("Some values are not valid.", errors=[{"field": field, "message": message}])
