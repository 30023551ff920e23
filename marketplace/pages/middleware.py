"""What every page shares on the way out."""

import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from marketplace.pages.refusals import refusal_page

log = logging.getLogger("touchstone.pages")


class UnavailableMiddleware:
    """A server that does not answer is a 503 page, not an error of ours.

    Sign-in needs Redis to count tries, so without Redis it stays closed (R24, R34); everything else goes on.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, RedisError | OperationalError | InterfaceError):
            log.warning("a server does not answer a request to %s: %s", request.path, exception)
            return refusal_page(503)
        return None
