"""The requester's side over HTTP, for imports and exports: bodies and answers are streamed."""

import http.client
import json
import time
import uuid
from typing import Any, BinaryIO

POLL_S = 0.2


class Requester:
    """One connection with a requester's key."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send JSON; the decoded answer."""
        raw = json.dumps(body).encode() if body is not None else None
        return self._answer(method, path, raw, {"Content-Type": "application/json"})[1]

    def import_file(self, batch: str, file: BinaryIO) -> dict[str, Any]:
        """Import a JSONL file and wait until the tasks are there; the import, with `arrived_s`: until its answer."""
        path = f"/batches/{batch}/imports"
        began = time.monotonic()
        answer = self._answer("POST", path, file, {"Content-Type": "application/x-ndjson"})[1]
        arrived_s = time.monotonic() - began
        # A large import goes on after it has arrived.
        while answer["finished_at"] is None:
            time.sleep(POLL_S)
            answer = self._answer("GET", f"{path}/{answer['id']}", None, {})[1]
        if answer["state"] != "done":
            raise RuntimeError(f"the import ended as {answer}")
        return {**answer, "arrived_s": arrived_s}

    def size_of(self, path: str) -> tuple[int, int]:
        """Read a streamed answer to its end, keeping nothing: (bytes, lines)."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1200)
        connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {self._key}"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.read(500)!r}")
        size = lines = 0
        while piece := answer.read(65_536):
            size += len(piece)
            lines += piece.count(b"\n")
        connection.close()
        return size, lines

    def _answer(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1200, blocksize=1 << 20)
        sent = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": uuid.uuid4().hex, **headers}
        if body is not None and not isinstance(body, bytes):
            body.seek(0, 2)
            sent["Content-Length"] = str(body.tell())
            body.seek(0)
        connection.request(method, f"/api/v1{path}", body, sent)
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {raw[:500]!r}")
        return answer.status, json.loads(raw)
