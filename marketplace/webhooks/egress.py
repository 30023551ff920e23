"""The one way out: HTTPS requests to addresses that other people named (R31).

The name is resolved once, every address it has must be public, and the connection goes to one of exactly these, with
the name kept for TLS and for the Host header; so nothing that a name server says later matters. Redirects are answers
like any other, proxies of the environment are not looked at, bodies are never decompressed, and everything together
ends after `TIMEOUT_S`. Nothing here touches the database, and no call runs in a transaction.
"""

import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings

from marketplace.webhooks.addresses import Address, BadUrl, Place, is_public, place_of

TIMEOUT_S = 5.0
BODY_BYTES_MAX = 10 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
# So many of a host's addresses are tried, all within the same five seconds.
ADDRESSES_MAX = 3
Resolve = Callable[[str, int], Sequence[Address]]


class EgressRefused(Exception):
    """Nothing was sent: the address is not one that may be used. The words are for whoever named it, and tell nothing
    of what lies inside."""


class EgressFailed(Exception):
    """No usable answer came. What was sent may have arrived."""


@dataclass(frozen=True)
class Reply:
    """What came back. The body is empty unless it was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: Address


def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, in the system's order. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


def require_usable(url: str) -> Place:
    """What can be said of an address without asking anybody: its form, its port, and a host that is an address.

    Raises `EgressRefused`. A name is resolved, and judged, only when something is sent.
    """
    try:
        place = place_of(url)
    except BadUrl as error:
        raise EgressRefused(str(error)) from None
    if place.port not in settings.EGRESS_PORTS and not _is_excepted_port(place.port):
        raise EgressRefused(f"Its port is none of {', '.join(map(str, settings.EGRESS_PORTS))}.")
    literal = place.literal
    if literal is not None:
        _require_public([literal], place.port)
    return place


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    keep_body: bool = False,
    resolver: Resolve | None = None,
) -> Reply:
    """Make one request; takes at most `TIMEOUT_S` from its beginning to its end.

    The answer's body is read only with `keep_body`, as it came and up to `BODY_BYTES_MAX`. Raises `EgressRefused`,
    `EgressFailed`.
    """
    deadline = time.monotonic() + TIMEOUT_S
    place = require_usable(url)
    addresses = _addresses(place, deadline, resolver or resolve)
    _require_public(addresses, place.port)
    connection = _Connection(place.host, place.port)
    try:
        raw, address = _connected(addresses, place.port, deadline)
        with raw, _secured(raw, place, deadline) as secure:
            connection.sock = _Timed(secure, deadline)
            sent = {"Host": place.authority, "User-Agent": "Touchstone/1", "Accept-Encoding": "identity", **headers}
            connection.request(method, place.target, body=body or None, headers=sent)
            answer = connection.getresponse()
            kept = _read(answer) if keep_body else b""
            return Reply(answer.status, dict(answer.getheaders()), kept, address)
    except TimeoutError:
        raise EgressFailed(f"no answer within {TIMEOUT_S:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise EgressFailed(f"its certificate is not valid: {error.verify_message}"[:200]) from None
    except ssl.SSLError as error:
        raise EgressFailed(f"TLS failed: {error.reason or 'no reason given'}"[:200]) from None
    except ConnectionError:
        raise EgressFailed("the connection broke before an answer came") from None
    except HTTPException as error:
        raise EgressFailed(f"the answer is not HTTP ({type(error).__name__})") from None
    except (OSError, ValueError) as error:
        raise EgressFailed(f"the connection broke ({type(error).__name__})") from None


class _Connection(HTTPConnection):
    """Speaks HTTP over the socket that it is given, and never opens one."""

    auto_open = 0

    def connect(self) -> None:
        raise OSError("a connection is made once")


class _Reader(io.RawIOBase):
    """Reads from a socket until the time for everything is over."""

    def __init__(self, secure: ssl.SSLSocket, deadline: float) -> None:
        self._secure = secure
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._secure.settimeout(_left(self._deadline))
        return self._secure.recv_into(buffer)


class _Timed:
    """As much of a socket as `http.client` wants; whoever made the connection closes it."""

    def __init__(self, secure: ssl.SSLSocket, deadline: float) -> None:
        self._secure = secure
        self._deadline = deadline

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._secure, self._deadline))

    def sendall(self, data: Any) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            self._secure.settimeout(_left(self._deadline))
            rest = rest[self._secure.send(rest) :]

    def close(self) -> None:
        """Nothing: the answer may still be read."""


def _addresses(place: Place, deadline: float, resolver: Resolve) -> Sequence[Address]:
    """The host's addresses, asked for once. The system's resolver has no time limit, so that it is waited for."""
    literal = place.literal
    if literal is not None:
        return [literal]
    said: queue.SimpleQueue[Sequence[Address] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            said.put(resolver(place.host, place.port))
        except Exception as error:  # whatever it was, it is told to whoever waits
            said.put(error)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        found = said.get(timeout=_left(deadline))
    except (queue.Empty, TimeoutError):
        raise EgressFailed(f"its name was not resolved within {TIMEOUT_S:g} s") from None
    if isinstance(found, Exception):
        raise EgressFailed("its name cannot be resolved") from None
    return found


def _require_public(addresses: Sequence[Address], port: int) -> None:
    judged = [address for address in addresses if f"{address}:{port}" not in settings.EGRESS_ALLOW]
    if judged and port not in settings.EGRESS_PORTS:
        raise EgressRefused(f"Its port is none of {', '.join(map(str, settings.EGRESS_PORTS))}.")
    closed = [ip_network(text) for text in settings.EGRESS_REFUSE]
    if not addresses or not all(is_public(address, closed) for address in judged):
        raise EgressRefused("It does not lead to a public address.")


def _is_excepted_port(port: int) -> bool:
    return any(entry.rpartition(":")[2] == str(port) for entry in settings.EGRESS_ALLOW)


def _connected(addresses: Sequence[Address], port: int, deadline: float) -> tuple[socket.socket, Address]:
    """A connection to the first of these addresses that takes one."""
    last: OSError = OSError("there is no address")
    for address in addresses[:ADDRESSES_MAX]:
        raw = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
        try:
            raw.settimeout(_left(deadline))
            raw.connect((str(address), port))
            return raw, address
        except OSError as error:
            raw.close()
            last = error
    if isinstance(last, TimeoutError):
        raise last
    raise EgressFailed("it takes no connection")


def _secured(raw: socket.socket, place: Place, deadline: float) -> ssl.SSLSocket:
    raw.settimeout(_left(deadline))
    return _context(settings.EGRESS_CA_FILE).wrap_socket(raw, server_hostname=place.host)


@cache
def _context(ca_file: str) -> ssl.SSLContext:
    """Certificates are verified, and whom they are for, always."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _read(answer: Any) -> bytes:
    kept = bytearray()
    while chunk := answer.read(CHUNK_BYTES):
        kept += chunk
        if len(kept) > BODY_BYTES_MAX:
            raise EgressFailed(f"the answer has more than {BODY_BYTES_MAX} bytes")
    return bytes(kept)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
