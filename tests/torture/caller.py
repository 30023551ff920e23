"""HTTP as the tortured clients speak it: one persistent connection, no retries, and every byte of the answer kept."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 12.0


class Unanswered(Exception):
    """No whole answer came. Whether the server carried the request out is unknown."""


@dataclass(frozen=True)
class Reply:
    """An answer that arrived whole."""

    status: int
    content: bytes

    @property
    def body(self) -> Any:
        """The decoded JSON; an empty object for anything else."""
        try:
            return json.loads(self.content)
        except ValueError:
            return {}

    @property
    def code(self) -> str:
        """The code of a refusal."""
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""
        return str(kind).removeprefix("/problems/")

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


class Caller:
    """Somebody with a key. `cutter` is the port of the proxy that swallows answers."""

    def __init__(self, host: str, port: int, key: str, cutter: int) -> None:
        self._host, self._port, self._key, self._cutter = host, port, key, cutter
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        content: bytes | None,
        *,
        key: str | None,
        kind: str,
        cut: bool = False,
        range: str | None = None,
    ) -> Reply:
        """One request. Raises `Unanswered`; with `cut` always, after the server has answered the proxy."""
        headers = {"Authorization": f"Bearer {self._key}"}
        if range is not None:
            headers["Range"] = range
        if content is not None:
            headers["Content-Type"] = kind
        if key is not None:
            headers["Idempotency-Key"] = key
        connection = self._fresh(self._cutter) if cut else self._connection or self._fresh(self._port)
        try:
            connection.request(method, f"/api/v1{path}", body=content, headers=headers)
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as why:
            connection.close()
            self._connection = None if not cut else self._connection
            raise Unanswered(f"{type(why).__name__} {why}") from why
        self._connection = connection
        return reply

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fresh(self, port: int) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, port, timeout=TIMEOUT_S)
