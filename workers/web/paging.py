"""Pages of long lists by the place of their last row: sealed, so that an address shows no internal number."""

from typing import Any

from django.http import HttpRequest

from marketplace.common.sealing import Unsealable, seal, unseal

PARAMETER = "after"


def place_asked(request: HttpRequest, what: str, parameter: str = PARAMETER) -> int | None:
    """Where the page begins; None for the first page, and for an address that is of another list or broken."""
    text = request.GET.get(parameter)
    if not text:
        return None
    try:
        return int(unseal(f"page {what}", text.encode()))
    except (Unsealable, ValueError):
        return None


def page_after(
    request: HttpRequest, what: str, found: list[Any], size: int, place: Any, *, parameter: str = PARAMETER
) -> tuple[list[Any], str]:
    """The rows of this page, and the address of the next or nothing. Ask for one row more than `size`; `place` says the
    place of a row."""
    if len(found) <= size:
        return found, ""
    query = request.GET.copy()
    query[parameter] = seal(f"page {what}", str(place(found[size - 1])).encode()).decode()
    return found[:size], f"?{query.urlencode()}"
