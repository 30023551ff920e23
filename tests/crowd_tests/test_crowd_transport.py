"""Retries against a real socket: the same key until it is answered, and nothing twice."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.crowd.client import Patience, Problem, Session, Unreachable
from tests.crowd.crew import PageWorker, work
from tests.crowd.transport import BadAddress, Transport

Script = list[Any]
QUICK = Patience(attempts=4, first_s=0.001, longest_s=0.002)


class Scripted(ThreadingHTTPServer):
    """Answers each request with the next step of a script: (status, body, headers), or `drop` for a cut connection."""

    daemon_threads = True

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append({"path": self.path, "body": body, "headers": self.headers, "peer": self.client_address})
        step = self.server.script.pop(0)
        if step == "drop":
            self.close_connection = True
            self.connection.close()
            return
        status, reply, headers = (*step, {})[:3]
        content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[Script], tuple[Scripted, str]]]:
    servers: list[Scripted] = []

    def start(script: Script) -> tuple[Scripted, str]:
        servers.append(Scripted(script))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1], f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


Serve = Callable[[Script], tuple[Scripted, str]]


@pytest.mark.parametrize("trouble", ["drop", (503, {}), (429, {}, {"Retry-After": "0"}), (502, b"<html>")])
def test_a_write_is_repeated_with_its_own_key(serve: Serve, trouble: Any) -> None:
    server, url = serve([trouble, trouble, (201, {"id": "x"})])

    assert Session(url, "secret", patience=QUICK).found_requester("Name") == {"id": "x"}

    keys = [seen["headers"]["Idempotency-Key"] for seen in server.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len({seen["body"] for seen in server.seen}) == 1
    assert server.seen[0]["headers"]["Authorization"] == "Bearer secret"


def test_two_writes_have_two_keys_and_share_a_connection(serve: Serve) -> None:
    server, url = serve([(201, {}), (201, {})])
    session = Session(url, patience=QUICK)

    session.found_requester("Name")
    session.found_requester("Name")

    assert server.seen[0]["headers"]["Idempotency-Key"] != server.seen[1]["headers"]["Idempotency-Key"]
    assert server.seen[0]["peer"] == server.seen[1]["peer"]


def test_a_read_has_no_idempotency_key(serve: Serve) -> None:
    server, url = serve([(200, {})])
    Session(url, patience=QUICK).check()
    assert "Idempotency-Key" not in server.seen[0]["headers"]


def test_a_silent_server_is_given_up_after_the_last_attempt(serve: Serve) -> None:
    server, url = serve(["drop"] * 4)

    with pytest.raises(Unreachable):
        Session(url, patience=QUICK).found_requester("Name")

    assert len(server.seen) == 4


def test_a_throttle_of_an_hour_is_a_refusal(serve: Serve) -> None:
    server, url = serve([(429, {"type": "/problems/throttled", "detail": "Later."}, {"Retry-After": "3600"})])

    with pytest.raises(Problem, match="throttled"):
        Session(url, patience=QUICK).accept_invitation("code", "password")

    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "kind", ["https://touchstone.example/problems/not-found", "/problems#not-found", "urn:x:not-found"]
)
def test_a_problem_is_read_and_not_repeated(serve: Serve, kind: str) -> None:
    server, url = serve([(404, {"type": kind, "title": "T", "detail": "There is none.", "batch": 7})])

    with pytest.raises(Problem) as caught:
        Session(url, patience=QUICK).publish_batch("x")

    problem = caught.value
    assert (problem.status, problem.code, problem.detail) == (404, "not-found", "There is none.")
    assert problem.body["batch"] == 7
    assert len(server.seen) == 1


def test_a_crash_page_is_a_problem_too(serve: Serve) -> None:
    _, url = serve([(500, b"<h1>Server\n error</h1>")])
    with pytest.raises(Problem, match="500 http-500: <h1>Server error</h1>"):
        Session(url, patience=QUICK).check()


def test_an_upload_is_sent_whole_again(serve: Serve) -> None:
    server, url = serve(["drop", (201, {"tasks": 2})])

    reply = Session(url, patience=QUICK).import_rows("b", ({"external_id": name} for name in "xy"))

    assert reply == {"tasks": 2}
    assert server.seen[0]["body"] == server.seen[1]["body"] == b'{"external_id":"x"}\n{"external_id":"y"}\n'
    assert server.seen[1]["headers"]["Content-Type"] == "application/x-ndjson"
    assert server.seen[0]["headers"]["Idempotency-Key"] == server.seen[1]["headers"]["Idempotency-Key"]


def test_an_upload_starts_at_the_beginning_of_the_file(serve: Serve) -> None:
    server, url = serve([(201, {})])
    content = io.BytesIO(b"abc")
    content.seek(2)
    Transport(url, patience=QUICK).upload("/x", content, "text/csv")
    assert server.seen[0]["body"] == b"abc"


def test_an_export_that_is_cut_starts_over_and_gives_no_line_twice(serve: Serve) -> None:
    rows = b'{"external_id":"a"}\n{"external_id":"b"}\n'
    _, url = serve(["drop", (200, rows)])
    assert [row["external_id"] for row in Session(url, patience=QUICK).export("b", "answers")] == ["a", "b"]


def test_a_list_is_followed_to_its_end(serve: Serve) -> None:
    server, url = serve(
        [
            (200, {"results": [{"id": 1}], "next": "http://elsewhere/api/v1/batches/b/answers?cursor=2"}),
            (200, {"results": [{"id": 2}], "next": None}),
        ]
    )

    assert [row["id"] for row in Session(url, patience=QUICK).answers("b", "submitted")] == [1, 2]
    assert [seen["path"] for seen in server.seen] == [
        "/api/v1/batches/b/answers?state=submitted",
        "/api/v1/batches/b/answers?cursor=2",
    ]


def test_a_page_that_was_lost_is_an_outcome(serve: Serve) -> None:
    outcomes = [{"assignment": "a", "outcome": "lease_lost"}]
    _, url = serve([(409, {"type": "/problems/lease-lost", "detail": "Late.", "outcomes": outcomes})])
    assert Session(url, patience=QUICK).submit([]) == {"outcomes": outcomes, "claimed": []}


def test_an_address_without_a_server_is_refused() -> None:
    with pytest.raises(BadAddress):
        Session("ftp://example.com")


def shown(number: int) -> dict[str, Any]:
    return {"id": f"a{number}", "token": f"t{number}", "data": {"x": str(number)}}


def test_a_worker_answers_page_after_page_until_nothing_is_left(serve: Serve) -> None:
    nothing = (409, {"type": "/problems/nothing-to-claim", "detail": "Nothing."})
    server, url = serve(
        [
            (201, {"assignments": [shown(1), shown(2)]}),
            (
                200,
                {
                    "outcomes": [
                        {"assignment": "a1", "outcome": "submitted"},
                        {"assignment": "a2", "outcome": "lease_lost"},
                    ],
                    "claimed": [shown(3)],
                },
            ),
            (200, {"outcomes": [{"assignment": "a3", "outcome": "submitted"}], "claimed": []}),
            nothing,
        ]
    )
    counted: list[int] = []
    hands = PageWorker(
        Session(url, patience=QUICK),
        batch_id="b",
        page=2,
        values_for=lambda assignment: {"label": assignment["data"]["x"]},
        expects_more=lambda: 0,
        on_stored=counted.append,
    )

    work([hands], threads=3)

    assert (hands.stored, hands.lost, counted, hands.not_eligible) == (2, 1, [1, 1], None)
    assert json.loads(server.seen[1]["body"]) == {
        "answers": [
            {"assignment": "a1", "token": "t1", "values": {"label": "1"}},
            {"assignment": "a2", "token": "t2", "values": {"label": "2"}},
        ],
        "then_claim": {"batch": "b", "count": 2},
    }


def test_a_worker_who_is_not_eligible_ends_and_says_so(serve: Serve) -> None:
    _, url = serve([(403, {"type": "/problems/not-eligible", "detail": "Your score is too low."})])
    hands = PageWorker(
        Session(url, patience=QUICK),
        batch_id="b",
        page=2,
        values_for=lambda _: {},
        expects_more=lambda: 9,
        on_stored=lambda _: None,
    )

    assert hands.step() is None
    assert hands.not_eligible == "Your score is too low."


def test_the_error_of_one_worker_ends_the_work(serve: Serve) -> None:
    _, url = serve([(500, b"crash")])
    hands = PageWorker(
        Session(url, patience=QUICK),
        batch_id="b",
        page=2,
        values_for=lambda _: {},
        expects_more=lambda: 1,
        on_stored=lambda _: None,
    )

    with pytest.raises(Problem, match="http-500"):
        work([hands], threads=2)
