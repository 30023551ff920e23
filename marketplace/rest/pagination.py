"""Lists by key: a page costs the same wherever it is, and rows that come or go in between shift nothing."""

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.rest.ask import refuse_unknown
from marketplace.rest.errors import BadCursor, Malformed
from marketplace.rest.sealing import Unsealable, seal, unseal

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
Row = TypeVar("Row", bound=Model)


def page(
    request: Request,
    rows: QuerySet[Row],
    *,
    sort: str,
    view: Callable[[Any], Any],
    key: str = "id",
    descending: bool = False,
    allowed: Iterable[str] = (),
) -> Response:
    """One page of the rows as {"results", "next"}, in order of (`sort`, `key`), both never null, together unique.

    `view` turns a row into what is shown. Query parameters are `cursor`, `limit` and those in `allowed`; another is
    refused. Cursors are sealed: they show no internal id, and one of another list or order is refused.
    """
    refuse_unknown(request.query_params, {"cursor", "limit", *allowed})
    limit = _limit(request.query_params.get("limit"))
    list_name = f"{request.path}?{sort},{key},{descending}"
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        rows = _after(rows, sort, key, descending, _open(cursor, list_name))
    sign = "-" if descending else ""
    found = list(rows.order_by(f"{sign}{sort}", f"{sign}{key}")[: limit + 1])
    shown, more = found[:limit], len(found) > limit
    following = None
    if more:
        sealed = _close(shown[-1], sort, key, list_name)
        kept = {name: value for name, value in request.query_params.items() if name != "cursor"}
        following = request.build_absolute_uri(f"{request.path}?{urlencode(kept | {'cursor': sealed})}")
    return Response({"results": [view(row) for row in shown], "next": following})


def whole(request: Request, results: Iterable[Any], *, allowed: Iterable[str] = ()) -> Response:
    """A list that is short by its nature, in the same form and on one page."""
    refuse_unknown(request.query_params, allowed)
    return Response({"results": list(results), "next": None})


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= LIMIT_MAX):
        raise Malformed(f"`limit` is a whole number from 1 to {LIMIT_MAX}.", field="limit")
    return int(text)


def _close(row: Model, sort: str, key: str, list_name: str) -> str:
    meta = row._meta
    place = [meta.get_field(name).value_to_string(row) for name in (sort, key)]  # type: ignore[union-attr]
    return seal("cursor", json.dumps([list_name, *place]).encode()).decode()


def _open(cursor: str, list_name: str) -> tuple[str, str]:
    try:
        name, first, second = json.loads(unseal("cursor", cursor.encode()))
    except (Unsealable, ValueError):
        raise BadCursor("Use the `next` address of a page as it is.", field="cursor") from None
    if name != list_name:
        raise BadCursor("This cursor is of another list.", field="cursor")
    return first, second


def _after(rows: QuerySet[Row], sort: str, key: str, descending: bool, place: tuple[str, str]) -> QuerySet[Row]:
    meta = rows.model._meta
    try:
        at, tie = (
            meta.get_field(name).to_python(text)  # type: ignore[union-attr]
            for name, text in zip((sort, key), place, strict=True)
        )
    except ValidationError:
        raise BadCursor("Use the `next` address of a page as it is.", field="cursor") from None
    past = "lt" if descending else "gt"
    # The first condition alone bounds the index scan; the second leaves out what was shown of an equal value.
    return rows.filter(**{f"{sort}__{past}e": at}).filter(Q(**{f"{sort}__{past}": at}) | Q(**{f"{key}__{past}": tie}))
