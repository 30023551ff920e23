"""The short way through an API view, for the few requests that are most of the load.

The framework's own way (content negotiation, authenticators, permissions, serializers) costs several times what such a
request does. So a request that is in every respect as usual, JSON with a good key of the right scope, goes straight to
its handler; anything else takes the framework's way from the start, which also words every refusal. Both ways must say
the same: the tests send each kind of request through both.
"""

from collections.abc import Callable
from typing import Any

from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from knox.crypto import hash_token
from rest_framework.views import APIView

from marketplace.accounts.models import Scope
from marketplace.common.prepared import prepared
from marketplace.rest.authentication import TOKEN_LENGTH_MAX
from marketplace.rest.parsing import strict_json
from marketplace.rest.problems import to_problem

HOLDER = (
    "SELECT u.id, w.id FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id"
    " JOIN profiles_worker w ON w.user_id = u.id"
    " WHERE k.digest = %s AND %s = ANY (k.scopes) AND u.is_active AND coalesce(k.expiry > market_now(), true)"
)


class Holder:
    """The person behind a key that was found good."""

    __slots__ = ("pk",)
    is_authenticated = True

    def __init__(self, pk: int) -> None:
        self.pk = pk


class PlainRequest:
    """What a handler reads of a request, without the framework's wrapping."""

    def __init__(self, http: HttpRequest, user: Holder, worker_id: int) -> None:
        self._request = http
        self.user = user
        self.worker_id = worker_id
        self.method = http.method
        self.path = http.path
        self.headers = http.headers
        self.get_full_path = http.get_full_path

    @property
    def body(self) -> bytes:
        return self._request.body

    @property
    def data(self) -> Any:
        """The body as strict JSON; raises `Malformed`."""
        return strict_json(self._request.body)


class PlainView(APIView):
    """A view of workers' keys whose usual requests go the short way."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        plain = _usual(request)
        if plain is None:
            return super().dispatch(request, *args, **kwargs)
        handler: Callable[..., HttpResponse] = getattr(self, (request.method or "").lower())
        try:
            return handler(plain, *args, **kwargs)
        except Exception as error:
            return to_problem(error, {"request": plain})


def ask_first(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    """The first statement of a request, which only reads: it finds out itself whether the connection still lives, and
    is asked again on a new one if not. That spares the question that the framework would ask before it."""
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return prepared(sql, params)
    except OperationalError:
        connection.close()
        return prepared(sql, params)


def _usual(request: HttpRequest) -> PlainRequest | None:
    """The request, if nothing about it needs the framework: writes of JSON with a worker's good key."""
    meta = request.META
    if (
        request.method not in ("POST", "PUT")
        or meta.get("CONTENT_TYPE") != "application/json"
        or meta.get("HTTP_ACCEPT", "*/*") not in ("*/*", "application/json")
        or request.META.get("QUERY_STRING")
    ):
        return None
    kind, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind != "Bearer" or not token.isascii() or len(token) > TOKEN_LENGTH_MAX or " " in token:
        return None
    found = ask_first(HOLDER, [hash_token(token), Scope.WORKER.value])
    return PlainRequest(request, Holder(found[0][0]), found[0][1]) if found else None
