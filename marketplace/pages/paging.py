"""Pages of long lists by the place of their last row: sealed, so that an address shows no internal number."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest

from marketplace.common.sealing import Unsealable, seal, unseal

PARAMETER = "after"
Place = TypeVar("Place", int, str)


def place_asked(
    request: HttpRequest,
    what: str,
    parameter: str = PARAMETER,
    of: Callable[[str], Place] = int,  # type: ignore[assignment]
) -> Place | None:
    """Where the page begins; None for the first page, and for an address that is of another list or broken. Places are
    whole numbers, or texts (`of=str`)."""
    text = request.GET.get(parameter)
    if not text:
        return None
    try:
        return of(unseal(f"page {what}", text.encode()).decode())
    except (Unsealable, ValueError):
        return None


def sealed_place(what: str, place: int | str) -> str:
    """A place as addresses hold it; `place_asked` reads it."""
    return seal(f"page {what}", str(place).encode()).decode()


def page_after(
    request: HttpRequest, what: str, found: list[Any], size: int, place: Any, *, parameter: str = PARAMETER
) -> tuple[list[Any], str]:
    """The rows of this page, and the address of the next or nothing. Ask for one row more than `size`; `place` says the
    place of a row."""
    if len(found) <= size:
        return found, ""
    return found[:size], with_place(request, what, place(found[size - 1]), parameter=parameter)


def with_place(request: HttpRequest, what: str, place: int | str | None, *, parameter: str = PARAMETER) -> str:
    """The address of the page that begins behind a place; nothing where there is none."""
    if place is None:
        return ""
    query = request.GET.copy()
    query[parameter] = sealed_place(what, place)
    return f"?{query.urlencode()}"
