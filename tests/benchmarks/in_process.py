"""The API called in this process by one thread: everything but the socket and the server."""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

import psycopg

from tests.benchmarks.report import progress
from tests.benchmarks.seeding import VALUES, SeededBatch, SeededWorker

_numbers = count(1)


class Cycler:
    """One worker in one batch, through the WSGI application in this process; `cycle` is his steady cycle."""

    def __init__(self, worker: SeededWorker, batch: SeededBatch, *, page: int = 1) -> None:
        from marketplace.wsgi import application

        self._application = application
        self._key = worker.key
        self._batch = batch.public_id
        self._page = page
        self.leases: list[dict[str, Any]] = []
        self.claim()

    def claim(self) -> None:
        """Claim a page."""
        self.leases = self._post(f"/api/v1/worker/batches/{self._batch}/claim", {"count": self._page})["assignments"]

    def submit(self) -> None:
        """Submit the answers of the leases that are held, and no more."""
        self._post("/api/v1/worker/submissions", {"answers": self._answers()})
        self.leases = []

    def cycle(self) -> None:
        """Submit the answers of the leases that are held, and claim the next page."""
        asked = {"answers": self._answers(), "then_claim": {"batch": self._batch, "count": self._page}}
        self.leases = self._post("/api/v1/worker/submissions", asked)["claimed"]

    def _answers(self) -> list[dict[str, Any]]:
        return [{"assignment": lease["id"], "token": lease["token"], "values": VALUES} for lease in self.leases]

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        raw = json.dumps(body).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Bearer {self._key}",
            "HTTP_IDEMPOTENCY_KEY": f"profile-{os.getpid()}-{next(_numbers)}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        status: list[str] = []
        response = self._application(environ, lambda line, headers, _=None: status.append(line))
        content = b"".join(response)
        if hasattr(response, "close"):
            response.close()
        if not status[0].startswith("2"):
            raise RuntimeError(f"{status[0]} {content[:500]!r}")
        return dict(json.loads(content))


def answer_pages(worker: SeededWorker, batch: SeededBatch, answers: int, *, page: int = 10) -> int:
    """Let the worker answer that many tasks of the batch, in pages; how many he found."""
    cycler, done = Cycler(worker, batch, page=min(page, answers)), 0
    while True:
        done += len(cycler.leases)
        if done >= answers:
            cycler.submit()
            return done
        cycler.cycle()
        if not cycler.leases:
            return done
        if done % 10_000 < page:
            progress(f"  {done:,} of {answers:,} answers of the past")


@contextmanager
def every_statement(hook: Callable[[str, Any, Callable[[], Any]], Any]) -> Iterator[None]:
    """Call `hook(sql, params, execute)` in place of every statement that any cursor executes, and of COMMIT."""
    execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit

    def hooked(cursor: Any, query: Any, params: Any = None, **options: Any) -> Any:
        text = query if isinstance(query, str) else query.decode() if isinstance(query, bytes) else query.as_string()
        return hook(text, params, lambda: execute(cursor, query, params, **options))

    def hooked_commit(connection: Any) -> None:
        hook("COMMIT", None, lambda: commit(connection))

    with patch.object(psycopg.Cursor, "execute", hooked), patch.object(psycopg.Connection, "commit", hooked_commit):
        yield


def shortened(sql: str, length: int = 150) -> str:
    """A statement as one short line."""
    text = " ".join(sql.split())
    return text if len(text) <= length else text[: length - 2] + " …"
