"""The rig's own small parts: journals, the proxy that swallows answers, the clock that jumps, the command line."""

import json
import os
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.torture.caller import Caller, Unanswered
from tests.torture.cutter import Cutter
from tests.torture.journal import Journal, Journals
from tests.torture.options import parse
from tests.torture.report import percentile

HOOKS = Path(__file__).resolve().parents[1] / "torture" / "hooks"


def test_journals_are_read_on_and_a_half_written_line_waits(tmp_path: Path) -> None:
    journal, journals = Journal(tmp_path / "one.jsonl", "one"), Journals(tmp_path)
    journal.note("answer", assignment="a")
    assert [fact["assignment"] for fact in journals.read_on()] == ["a"]
    with (tmp_path / "one.jsonl").open("a") as file:
        file.write('{"did": "answer", "assi')
    assert journals.read_on() == []
    with (tmp_path / "one.jsonl").open("a") as file:
        file.write('gnment": "b"}\n')
    assert [fact["assignment"] for fact in journals.read_on()] == ["b"]
    assert len(journals.facts) == 2


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str | None, bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.headers["Idempotency-Key"], body))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_cut_answer_was_given_and_does_not_arrive() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cutter = Cutter("127.0.0.1", server.server_port)
    caller = Caller("127.0.0.1", server.server_port, "key", cutter.port)
    try:
        with pytest.raises(Unanswered):
            caller.ask("POST", "/x", b'{"a": 1}', key="k1", kind="application/json", cut=True)
        reply = caller.ask("POST", "/x", b'{"a": 1}', key="k1", kind="application/json")

        assert cutter.cut == 1
        assert (reply.status, reply.body) == (201, {"a": 1})
        assert _Echo.seen == [("k1", b'{"a": 1}')] * 2
    finally:
        caller.close()
        cutter.close()
        server.shutdown()
        server.server_close()


def _hooked(data: Path, program: str, **more: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(HOOKS), "TOUCHSTONE_SUPERVISED": str(data), "TOUCHSTONE_DATA": str(data)}
    argv = [sys.executable, "-c", program]
    return subprocess.run(
        argv, env={**env, **more}, capture_output=True, text=True, check=True, cwd=data
    ).stdout.strip()


CLOCKS = """
import datetime, logging, pickle, time
from datetime import date, datetime as d
now, seen = d.now(datetime.timezone.utc), [time.time(), time.time_ns() / 1e9, d.now().timestamp()]
seen += [now.timestamp(), time.mktime(time.localtime()), d.fromtimestamp(time.time()).timestamp()]
assert isinstance(now, d) and isinstance(now, date) and type(now) is type(d(2020, 1, 1)) and issubclass(d, date)
assert pickle.loads(pickle.dumps(now)) == now and d.max.year == 9999 and d.strptime("2020", "%Y").year == 2020
assert type("own", (d,), {}).now() is not None
assert logging.Formatter("%(asctime)s").format(logging.makeLogRecord({}))
print(min(seen), max(seen))
"""


@pytest.mark.parametrize("offset_s", [0.0, 600.0, -600.0])
def test_the_clock_of_a_hooked_process_is_off_by_what_the_shared_file_says(tmp_path: Path, offset_s: float) -> None:
    control = tmp_path / "control"
    control.mkdir()
    (control / "clock").write_bytes(struct.pack("d", offset_s))
    before = int(subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True).stdout)

    least, most = map(float, _hooked(tmp_path, CLOCKS).split())

    assert before + offset_s - 2 <= least <= most <= before + offset_s + 30


def test_a_process_that_the_supervisor_did_not_start_is_left_alone(tmp_path: Path) -> None:
    assert _hooked(tmp_path, "import time; print(type(time.time).__name__)", TOUCHSTONE_SUPERVISED="").startswith(
        "builtin"
    )
    assert not (tmp_path / "control").exists()


def test_a_mutant_is_compiled_into_the_module_and_one_that_changes_nothing_stops_the_process(tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    (tmp_path / "wall.py").write_text("def holds():\n    return True\n")
    mutant = tmp_path / "control" / "mutant.json"
    mutant.write_text(json.dumps([["wall", "return True", "return False"]]))
    program = "import sys; sys.path.insert(0, '.'); import wall; print(wall.holds())"

    assert _hooked(tmp_path, program) == "False"
    mutant.write_text(json.dumps([["wall", "return Nothing", "return False"]]))
    with pytest.raises(subprocess.CalledProcessError):
        _hooked(tmp_path, program)


def test_the_command_line_has_the_defaults_of_the_run_in_ci() -> None:
    options = parse([])

    assert (options.seconds, options.clients, options.tasks, options.overlap, options.mode) == (
        60,
        32,
        2000,
        3,
        "safety",
    )
    assert options.least_kills == 10
    assert parse(["--seconds", "1800"]).least_kills == 300
    assert parse(["--mutant", "place_index"]).mutants == ("place_index",)
    assert parse(["--mutants", "--every", "5"]).every == 5
    for wrong in (
        ["--every", "5"],
        ["--mutants", "--every", "0"],
        ["--mutant", "nothing"],
        ["--seconds", "1"],
        ["--clients", "2"],
        ["--mode", "odd"],
    ):
        with pytest.raises(SystemExit):
            parse(wrong)


def test_percentiles() -> None:
    assert percentile([], 0.99) == 0.0
    assert percentile([1.0], 0.99) == 1.0
    assert percentile([float(n) for n in range(100)], 0.99) == 99.0
