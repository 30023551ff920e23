"""HTTP to one Touchstone: persistent connections, JSON, retries that never do a thing twice. Standard library only."""

from __future__ import annotations

import http.client
import json
import random
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

Json = dict[str, Any]

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
TRY_AGAIN = frozenset({429, 502, 503, 504})
SPOOL_BYTES = 4 * 1024 * 1024  # a body or an export above this goes to disk, so memory stays flat
BLOCK_BYTES = 64 * 1024


class Unreachable(Exception):
    """No answer came within the patience of the caller. The request may or may not have been carried out."""


class BadAddress(ValueError):
    """The base URL is not the address of a web server."""


class Problem(Exception):
    """The server refused: `status`, `code` (the last part of the problem's type), `detail`, and the whole `body`."""

    def __init__(self, status: int, code: str, detail: str, body: Json) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.body = body

    @classmethod
    def of(cls, status: int, content: bytes) -> Problem:
        """Read problem+json; anything else (a proxy's page, a crash) becomes the code `http-<status>`."""
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            text = " ".join(content.decode("utf-8", "replace").split())
            return cls(status, f"http-{status}", text[:300] or "The reply was empty.", {})
        code = str(body.get("code") or re.split(r"[/:#]", str(body.get("type") or ""))[-1] or f"http-{status}")
        detail = str(body.get("detail") or body.get("title") or code)
        if body.get("errors"):
            detail += " " + json.dumps(body["errors"][:3] if isinstance(body["errors"], list) else body["errors"])
        return cls(status, code, detail, body)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on trying. Waits grow from `first_s`, double up to `longest_s`, and are jittered by a half."""

    attempts: int = 8
    first_s: float = 0.1
    longest_s: float = 5.0
    retry_after_max_s: float = 30.0  # a longer Retry-After is a refusal, not a pause

    def wait_s(self, attempt: int) -> float:
        """Seconds before attempt number `attempt` + 1, counting from 1; a connection dropped once costs no wait."""
        return min(self.longest_s, self.first_s * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)


_connections = threading.local()


def _connection(scheme: str, netloc: str, timeout_s: float) -> http.client.HTTPConnection:
    """This thread's connection to the server; many sessions of one thread share it."""
    mine: dict[tuple[str, str], http.client.HTTPConnection] = _connections.__dict__.setdefault("mine", {})
    if (scheme, netloc) not in mine:
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        mine[scheme, netloc] = kind(netloc, timeout=timeout_s, blocksize=BLOCK_BYTES)
    return mine[scheme, netloc]


class Transport:
    """Requests to one server with one key (or none). Safe to share between threads: each thread has its connection.

    Every unsafe request carries an Idempotency-Key of its own. A dropped connection and the statuses 429, 502, 503
    and 504 are tried again with the *same* key, so that the server does it once however often it was asked.
    """

    def __init__(
        self, base_url: str, key: str | None = None, *, timeout_s: float = 120.0, patience: Patience | None = None
    ) -> None:
        parts = urlsplit(base_url if "://" in base_url else f"http://{base_url}")
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise BadAddress(f"{base_url!r} is not the address of a web server.")
        self.scheme, self.netloc, self.root = parts.scheme, parts.netloc, parts.path.rstrip("/")
        self.base_url = f"{self.scheme}://{self.netloc}{self.root}"
        self.key = key
        self.timeout_s = timeout_s
        self.patience = patience or Patience()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        authorization: str | None = None,
    ) -> Any:
        """Send JSON to `path` under /api/v1 and return the decoded reply, None for an empty one. Raises `Problem`."""
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        return self._json(self._send(method, self._target(path, query), content, "application/json", authorization))

    def upload(self, path: str, content: IO[bytes], content_type: str) -> Any:
        """POST a file object from its beginning, in blocks and with its length; a retry reads it again."""
        return self._json(self._send("POST", self._target(path, None), content, content_type, None))

    def lines(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[str]:
        """The lines of a streamed reply. It is complete before the first line is given, so a cut one is never half."""
        with self._send("GET", self._target(path, query), None, None, None) as spool:
            for line in spool:
                yield line.decode("utf-8").rstrip("\r\n")

    def rows(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Json]:
        """Every row of a list, page after page."""
        target: str | None = self._target(path, query)
        while target:
            page = self._json(self._send("GET", target, None, None, None))
            if isinstance(page, list):
                yield from page
                return
            yield from page["results"]
            following = urlsplit(page.get("next") or "")
            target = f"{following.path}?{following.query}" if following.query else None

    def _target(self, path: str, query: Mapping[str, Any] | None) -> str:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return f"{self.root}/api/v1{path}" + (f"?{urlencode(given)}" if given else "")

    @staticmethod
    def _json(spool: IO[bytes]) -> Any:
        with spool:
            content = spool.read()
        try:
            return json.loads(content) if content else None
        except ValueError as why:
            raise Problem(200, "not-json", f"The reply is not JSON: {content[:100]!r}", {}) from why

    def _send(
        self, method: str, target: str, content: bytes | IO[bytes] | None, content_type: str | None, auth: str | None
    ) -> IO[bytes]:
        """One request until it is answered, and the whole reply, rewound."""
        headers = {"Accept": "application/json, application/x-ndjson, text/csv;q=0.9, */*;q=0.1"}
        if content is not None and content_type:
            headers["Content-Type"] = content_type
        if method in UNSAFE:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if auth or self.key:
            headers["Authorization"] = auth or f"Bearer {self.key}"
        for attempt in range(1, self.patience.attempts + 1):
            last = attempt == self.patience.attempts
            try:
                status, after_s, spool = self._once(method, target, content, headers)
            except (OSError, http.client.HTTPException) as why:
                if last:
                    raise Unreachable(f"{self.base_url} does not answer ({why or type(why).__name__}).") from why
                if attempt > 1:  # the first drop is mostly a connection that grew old: a new one mends it at once
                    time.sleep(self.patience.wait_s(attempt - 1))
                continue
            if status < 400:
                return spool
            with spool:
                problem = Problem.of(status, spool.read())
            if status not in TRY_AGAIN or last or (after_s or 0) > self.patience.retry_after_max_s:
                raise problem
            time.sleep(max(after_s or 0.0, self.patience.wait_s(attempt)))
        raise AssertionError("the last attempt returns or raises")

    def _once(
        self, method: str, target: str, content: bytes | IO[bytes] | None, headers: dict[str, str]
    ) -> tuple[int, float | None, IO[bytes]]:
        """Status, Retry-After in seconds, and the whole reply. Leaves a clean connection behind, or a closed one."""
        connection = _connection(self.scheme, self.netloc, self.timeout_s)
        spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - the caller closes it
        try:
            if content is not None and not isinstance(content, bytes):
                # With a length and not chunked: a WSGI application sees nothing of a body without a length.
                headers = headers | {"Content-Length": str(content.seek(0, 2))}
                content.seek(0)
            elif content is None and method in UNSAFE:
                headers = headers | {"Content-Length": "0"}
            connection.request(method, target, body=content, headers=headers)
            reply = connection.getresponse()
            while block := reply.read(BLOCK_BYTES):
                spool.write(block)
        except BaseException:
            spool.close()
            connection.close()
            raise
        spool.seek(0)
        after = reply.headers.get("Retry-After", "")
        return reply.status, float(after) if re.fullmatch(r"\d+(\.\d+)?", after) else None, spool
