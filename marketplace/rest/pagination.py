"""Lists by key: a page costs the same wherever it is, and rows that come or go in between shift nothing."""

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpResponse
from rest_framework.request import Request

from marketplace.common.sealing import Unsealable, seal, unseal
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.errors import BadCursor, Malformed

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
CURSORS_ARE_WHOLE = "Use the `next` address of a page as it is."
Row = TypeVar("Row", bound=Model)


def page_of(
    request: Request,
    rows: QuerySet[Row],
    view: Callable[[Any], Any] | None = None,
    *,
    together: Callable[[list[Row]], list[Any]] | None = None,
    sort: str = "id",
    descending: bool = False,
    allowed: Iterable[str] = (),
) -> HttpResponse:
    """One page of the rows as {"results", "next"}, in order of (`sort`, id); `sort` is never null.

    `view` turns a row into what is shown, or `together` all rows of the page at once. Query parameters are `cursor`,
    `limit` and those in `allowed`; another is refused. Cursors are sealed: they show no internal id, and one of another
    list or order is refused.
    """
    limit = _limit(request, allowed)
    name = f"{request.path}?{sort},{descending}"
    past = "lt" if descending else "gt"
    meta = rows.model._meta
    fields = [meta.get_field(sort), meta.pk]
    place = _place(request, name, len(fields))
    if place is not None:
        try:
            at, tie = (field.to_python(text) for field, text in zip(fields, place, strict=True))  # type: ignore[union-attr]
        except ValidationError:
            raise BadCursor(CURSORS_ARE_WHOLE, field="cursor") from None
        # The first condition alone bounds the index scan; the second leaves out what was shown of an equal value.
        rows = rows.filter(**{f"{sort}__{past}e": at})
        rows = rows.filter(Q(**{f"{sort}__{past}": at}) | Q(**{f"pk__{past}": tie}))
    sign = "-" if descending else ""
    found = list(rows.order_by(f"{sign}{sort}", f"{sign}pk")[: limit + 1])

    def place_of(row: Row) -> list[str]:
        return [field.value_to_string(row) for field in fields]  # type: ignore[union-attr]

    views = together if together is not None else _each(view)
    return _answer(request, found, limit, views, lambda row: _close(name, place_of(row)))


def page_of_rows(
    request: Request,
    fetch: Callable[[Any, int], Iterable[dict[str, Any]]],
    view: Callable[[dict[str, Any]], Any],
    *,
    first: int | str = 0,
    allowed: Iterable[str] = (),
) -> HttpResponse:
    """The same for rows of a statement: `fetch(after, limit)` returns them in order of their `cursor`, a whole number
    or a text, from behind `after` (`first` at first)."""
    limit = _limit(request, allowed)
    place = _place(request, request.path, 1)
    found = list(fetch(type(first)(place[0]) if place else first, limit + 1))[: limit + 1]
    return _answer(request, found, limit, _each(view), lambda row: _close(request.path, [str(row["cursor"])]))


def without_cursor(row: dict[str, Any]) -> dict[str, Any]:
    """The row as it is shown, where its cursor is all that is not."""
    return {name: row[name] for name in row if name != "cursor"}


def whole(request: Request, results: Iterable[Any], *, allowed: Iterable[str] = ()) -> HttpResponse:
    """A list that is short by its nature, in the same form and on one page."""
    refuse_unknown(request.query_params, allowed)
    return respond({"results": list(results), "next": None})


def _limit(request: Request, allowed: Iterable[str]) -> int:
    refuse_unknown(request.query_params, {"cursor", "limit", *allowed})
    text = request.query_params.get("limit")
    if text is None:
        return LIMIT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= LIMIT_MAX):
        raise Malformed(f"`limit` is a whole number from 1 to {LIMIT_MAX}.", field="limit")
    return int(text)


def _answer(
    request: Request,
    found: list[Any],
    limit: int,
    views: Callable[[list[Any]], list[Any]],
    cursor_of: Callable[[Any], str],
) -> HttpResponse:
    shown, following = found[:limit], None
    if len(found) > limit:
        kept = {name: value for name, value in request.query_params.items() if name != "cursor"}
        query = urlencode(kept | {"cursor": cursor_of(shown[-1])})
        following = request.build_absolute_uri(f"{request.path}?{query}")
    return respond({"results": views(shown), "next": following})


def _each(view: Callable[[Any], Any] | None) -> Callable[[list[Any]], list[Any]]:
    assert view is not None, "something must turn a row into what is shown"
    return lambda rows: [view(row) for row in rows]


def _close(name: str, place: list[str]) -> str:
    return seal("cursor", json.dumps([name, *place]).encode()).decode()


def _place(request: Request, name: str, length: int) -> list[str] | None:
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    try:
        list_name, *place = json.loads(unseal("cursor", cursor.encode()))
    except (Unsealable, ValueError):
        raise BadCursor(CURSORS_ARE_WHOLE, field="cursor") from None
    if list_name != name or len(place) != length:
        raise BadCursor("This cursor is of another list.", field="cursor")
    return place
