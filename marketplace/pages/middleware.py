"""What every page shares on the way out."""

import logging
from collections.abc import Callable
from typing import Any

from csp.middleware import CSPMiddleware, PolicyParts
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from marketplace.pages.refusals import refusal_page
from marketplace.pages.vendor import import_map_source

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


class PolicyMiddleware(CSPMiddleware):
    """The policy of the settings, with the one text in pages that is no file: the map of imports, by its digest."""

    def get_policy_parts(self, request: Any, response: Any, report_only: bool = False) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and response.get("Content-Type", "").startswith("text/html"):
            update = dict(parts.update or {})
            update["script-src"] = [*update.get("script-src", []), import_map_source()]
            parts.update = update
        return parts
