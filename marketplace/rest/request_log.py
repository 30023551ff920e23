"""One line for each request, named by its route: addresses may hold what opens a door, as a link that resets a password
does, so they are not written down."""

import logging
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any, cast
from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from marketplace.common.logs import route_of
from marketplace.common.tracing import HEADER, id_of, traced

log = logging.getLogger("touchstone.request")


class RequestLogMiddleware:
    """Gives each request its id, says it in the answer, and writes the line. The first of all."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = perf_counter()
        request_id = id_of(request.headers.get(HEADER))
        with traced(request_id):
            response: HttpResponseBase = self.get_response(request)
            if log.isEnabledFor(logging.INFO):
                log.info("request", extra=facts_of(request, response.status_code, perf_counter() - began))
        response[HEADER] = request_id
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            # It is made while it is sent, after this returns.
            response.streaming_content = _traced(cast(Iterable[bytes], response.streaming_content), request_id)
        return response


def facts_of(request: HttpRequest, status: int, seconds: float) -> dict[str, Any]:
    """What is said of a request: its method and route, the public ids in its address, its status and how long it took
    (for what is streamed, until its first byte)."""
    match = request.resolver_match
    about = {} if match is None else {name: str(given) for name, given in match.kwargs.items() if _is_id(given)}
    return {
        "method": request.method,
        "route": route_of(request),
        "status": status,
        "duration_ms": round(1_000 * seconds, 1),
        **({"about": about} if about else {}),
    }


def _is_id(given: Any) -> bool:
    return isinstance(given, UUID | int)


def _traced(content: Iterable[bytes], request_id: str) -> Iterator[bytes]:
    parts = iter(content)
    while True:
        # Bound for each part anew: between two of them the server's thread may do something else.
        with traced(request_id):
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part
