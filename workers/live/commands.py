"""Commands of a worker's socket: the handlers of HTTP, called with the request that the same command would be there.

So the rules, the bodies and the stored answers are the same to the byte, and a command that was sent here may be
repeated there under its key, or the other way round.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from marketplace.accounts.commands.tickets import Holder
from marketplace.accounts.models import Scope
from marketplace.common.tracing import new_id, traced
from marketplace.rest import plain
from marketplace.rest.errors import KeyRefused
from marketplace.rest.problems import to_problem
from workers.api.work import ClaimView, DraftView, HeartbeatView, ReturnView, SubmitView
from workers.live.frames import ID_LENGTH_MAX, WrongFrame, frame, text_of

BY_KEY = (
    "SELECT u.id, w.id FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id"
    " JOIN profiles_worker w ON w.user_id = u.id"
    " WHERE k.digest = %s AND u.id = %s AND %s = ANY (k.scopes) AND u.is_active"
    " AND coalesce(k.expiry > market_now(), true)"
)
BY_SESSION = (
    "SELECT u.id, w.id FROM django_session s JOIN accounts_user u ON u.id = %s"
    " JOIN profiles_worker w ON w.user_id = u.id"
    " WHERE s.session_key = %s AND s.expire_date > market_now() AND u.is_active"
)
# What a client says of its device, as over HTTP.
TOLD = {b"user-agent": "HTTP_USER_AGENT", b"sec-ch-ua-mobile": "HTTP_SEC_CH_UA_MOBILE"}


@dataclass(frozen=True)
class Command:
    """A request that came as a frame."""

    id: str
    kind: str
    method: str
    path: str
    place: UUID | None
    key: str | None
    body: bytes


class Answer(NamedTuple):
    """What HTTP would have answered."""

    status: int
    body: bytes
    replayed: bool


class _Kind(NamedTuple):
    method: str
    path: str
    place: str | None
    handler: Callable[..., HttpResponse]


KINDS = {
    "claim": _Kind("POST", "/api/v1/worker/batches/{}/claim", "batch", ClaimView().post),
    "submit": _Kind("POST", "/api/v1/worker/submissions", None, SubmitView().post),
    "return": _Kind("POST", "/api/v1/worker/assignments/{}/return", "assignment", ReturnView().post),
    "extend": _Kind("PUT", "/api/v1/worker/leases", None, HeartbeatView().put),
    "draft": _Kind("PUT", "/api/v1/worker/assignments/{}/draft", "assignment", DraftView().put),
}


def command_of(message: dict[str, Any]) -> Command:
    """The request that a frame stands for. Raises `WrongFrame`; all else is refused as over HTTP."""
    kind = KINDS[message["type"]]
    asked_as = text_of(message, "id", ID_LENGTH_MAX)
    key = text_of(message, "key") if "key" in message else None
    place = text_of(message, kind.place, 100) if kind.place else ""
    body = {name: value for name, value in message.items() if name not in ("type", "id", "key", kind.place)}
    return Command(
        asked_as, message["type"], kind.method, kind.path.format(place), place_of(place), key, stringify(body).encode()
    )


def run_command(command: Command, holder: Holder, headers: dict[bytes, bytes]) -> Answer:
    """Do it, as who opened the socket, if what opened it still does; each is a transaction of its own, and a request of
    its own to whoever follows it through the logs."""
    with traced(new_id()):
        return _run(command, holder, headers)


def _run(command: Command, holder: Holder, headers: dict[bytes, bytes]) -> Answer:
    kind = KINDS[command.kind]
    request = plain.PlainRequest(_http(command, headers), plain.Holder(holder.user_id), 0)
    try:
        found = _standing(holder)
        if not found:
            raise KeyRefused("What opened this socket no longer does.")
        request.worker_id = found[0][1]
        if kind.place is None:
            response = kind.handler(request)
        elif command.place is None:
            raise Http404
        else:
            response = kind.handler(request, command.place)
    except Exception as error:
        response = to_problem(error, {"request": request})
    return Answer(response.status_code, response.content, response.headers.get("Idempotent-Replay") == "true")


def reply(command: Command, answer: Answer) -> str:
    """The frame that answers, with the body as it is stored."""
    members = frame("reply", id=command.id, status=answer.status, replayed=answer.replayed)
    return f'{members[:-1]},"body":{answer.body.decode() or "null"}}}'


def stringify(value: Any) -> str:
    """Compact JSON to the letter as browsers write it: the key of a command is bound to these bytes.

    Raises `WrongFrame` for what is nested too deeply.
    """
    try:
        return _text_of(value)
    except RecursionError:
        raise WrongFrame("The JSON is nested too deeply.") from None


def _text_of(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text_of(name)}:{_text_of(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text_of, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """As ECMAScript's Number::toString: plain digits from 1e-6 up to 1e21, and exponents without leading zeros."""
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = repr(value).partition("e")
    sign = "-" if exponent.startswith("-") else "+"
    return f"{mantissa.removesuffix('.0')}e{sign}{exponent.lstrip('+-').lstrip('0')}"


def _standing(holder: Holder) -> list[tuple[Any, ...]]:
    if holder.key_digest is not None:
        return plain.ask_first(BY_KEY, [holder.key_digest, holder.user_id, Scope.WORKER.value])
    return plain.ask_first(BY_SESSION, [holder.user_id, holder.session_key])


def _http(command: Command, headers: dict[bytes, bytes]) -> HttpRequest:
    request = HttpRequest()
    request.method = command.method
    request.path = request.path_info = command.path
    request.META = {name: headers[header].decode("latin-1") for header, name in TOLD.items() if header in headers}
    if command.key is not None:
        request.META["HTTP_IDEMPOTENCY_KEY"] = command.key
    request._body = command.body
    return request


def place_of(text: str) -> UUID | None:
    """A public id as an address has it: in small letters, with all its hyphens; None for any other text."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
