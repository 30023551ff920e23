"""Frames that nobody should send: each is answered in the protocol's words or ends the socket with a code and a reason;
the server stays healthy, and nothing is written."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from deploy.stack.site import healthy
from tests import factories as make
from tests.api_client import key_for
from tests.live.frames import faults
from tests.live.servers import Servers, serving
from workers.live.protocol import types

WITHIN_S = 20.0
CODES = {4400, 4401, 4403, 4429, 1003, 1007, 1009}
NOBODYS = str(uuid4())

ids = st.one_of(st.text(max_size=70), st.integers(), st.none(), st.just("1"))
# Ids that nobody has, and everything else that is none.
uuids = st.one_of(st.just(NOBODYS), st.text(max_size=40), st.integers(), st.lists(st.integers(), max_size=2))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30))
junk = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
leases = st.lists(st.fixed_dictionaries({"assignment": uuids, "token": uuids}, optional={"values": junk}), max_size=3)
# Each command with fields that are nearly right, so that more than the first look at them is tried.
nearly = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(types("client") | types("server")))},
    optional={
        "id": ids,
        "key": ids,
        "batch": uuids,
        "count": st.one_of(st.integers(-2, 200), junk),
        "window": st.one_of(st.integers(-2, 50), junk),
        "assignment": uuids,
        "token": uuids,
        "values": junk,
        "answers": st.one_of(leases, junk),
        "then_claim": junk,
        "leases": st.one_of(leases, junk),
        "reason": st.one_of(st.sampled_from(["skip", "other", "no such reason"]), junk),
        "comment": junk,
        "topic": st.one_of(st.sampled_from(["board", "market", f"batch:{NOBODYS}", "batch:", "worker:1"]), junk),
        "cursor": st.one_of(st.fixed_dictionaries({"epoch": uuids, "seq": st.one_of(st.integers(), junk)}), junk),
        "ticket": junk,
    },
)
frames = st.one_of(
    nearly.map(json.dumps),  # with NaN and Infinity, as Python writes them
    junk.map(json.dumps),
    st.text(max_size=200),
    st.binary(max_size=200),
    st.fixed_dictionaries({"type": scalars, "id": ids}).map(json.dumps),
)
ODD = {
    "nothing": "",
    "a number": "7",
    "a list": '["ping"]',
    "no type": '{"id":"1"}',
    "a type that is no text": '{"type":{"type":"ping"}}',
    "an unknown type": '{"type":"explode"}',
    "a type of the server's": '{"type":"hello","protocol":1}',
    "half an object": '{"type":"ping"',
    "two objects": '{"type":"ping"}{"type":"ping"}',
    "NaN": '{"type":"join","cursor":NaN}',
    "infinity": '{"type":"claim","id":"1","key":"k","batch":"x","count":1e999}',
    "a huge number": '{{"type":"join","cursor":{{"epoch":"{}","seq":{}}}}}'.format(NOBODYS, "9" * 5000),
    "deep lists": '{"type":"ping","x":' + "[" * 30_000 + "]" * 30_000 + "}",
    "deep objects": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "a name twice": '{"type":"ping","type":"claim","id":"1"}',
    "NUL": f'{{"type":"draft","id":"1","assignment":"{NOBODYS}","token":"{NOBODYS}","values":{{"a":"\\u0000"}}}}',
    "half a character": f'{{"type":"claim","id":"\\ud800","key":"\\ud800","batch":"{NOBODYS}"}}',
    "a byte order mark": '\ufeff{"type":"ping"}',
    "bytes": b'{"type":"ping"}',
    "bytes that are no text": b"\xff\xfe\x00",
    "an id that is too long": '{{"type":"claim","id":"{}","key":"k","batch":"{}","count":1}}'.format("1" * 65, NOBODYS),
    "nearly too large": json.dumps(
        {"type": "draft", "id": "1", "assignment": NOBODYS, "token": NOBODYS, "values": {"a": "x" * 65_000}}
    ),
}


@dataclass
class Outcome:
    """What the server did about some frames."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    code: int | None = None
    reason: str = ""


@dataclass
class Door:
    """Opens sockets for one after the other of a few workers."""

    servers: Servers
    keys: Iterator[str]
    owner: psycopg.Connection[Any]

    def tell(self, *told: str | bytes, join: bool = True, key: bool = True, quiet_s: float = 0.15) -> Outcome:
        """Send these frames and then a ping, and take in all that comes: to the end, or to the ping's pong and until
        nothing follows it for a while."""
        outcome = Outcome()
        headers = {"Authorization": f"Bearer {next(self.keys)}"} if key else {}
        origin: Any = None if key else self.servers.web_url
        url = f"{self.servers.live_url}/ws/worker/"
        with connect(url, additional_headers=headers, origin=origin, compression=None, proxy=None) as socket:
            try:
                if join:
                    socket.send('{"type":"join"}')
                for frame in told:
                    socket.send(frame)
                socket.send('{"type":"ping"}')
                while True:
                    heard = any(answer["type"] == "pong" for answer in outcome.answers)
                    try:
                        outcome.answers.append(json.loads(socket.recv(timeout=quiet_s if heard else WITHIN_S)))
                    except TimeoutError:
                        assert heard, (told, outcome)
                        break
            except ConnectionClosed as closed:
                outcome.code, outcome.reason = 1006, ""
                if closed.rcvd is not None:
                    outcome.code, outcome.reason = closed.rcvd.code, closed.rcvd.reason
        return outcome

    def written(self) -> dict[str, int]:
        """Rows of every table; opening sockets with a key writes none of them."""
        tables = [name for (name,) in self.owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        counts = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in sorted(tables))
        return dict(self.owner.execute(counts).fetchall())  # type: ignore[arg-type]


@pytest.fixture
def door(committed: str, as_owner: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Door]:
    keys = [key_for(make.make_worker().user, "worker") for _ in range(12)]
    with serving(committed, tmp_path, "live") as servers:
        yield Door(servers, cycle(keys), as_owner)


def held_to_the_protocol(outcome: Outcome) -> None:
    for answer in outcome.answers:
        assert faults("server", answer) == [], answer
    assert not outcome.answers or outcome.answers[0]["type"] in ("hello", "error")
    if outcome.code is None:
        assert any(answer["type"] == "pong" for answer in outcome.answers)
    else:
        assert outcome.code in CODES, (outcome.code, outcome.reason, outcome.answers[-1:])
        assert outcome.reason, outcome.code


@pytest.mark.stack
def test_odd_frames_end_in_words_and_write_nothing(door: Door) -> None:
    before = door.written()
    for name, frame in ODD.items():
        outcome = door.tell(frame, quiet_s=1.0)
        held_to_the_protocol(outcome)
        assert outcome.code is not None or any(a["type"] in ("reply", "error") for a in outcome.answers), name
    assert healthy(door.servers.live_port)
    assert door.written() == before
    assert "Traceback" not in door.servers.log("live")


@pytest.mark.stack
def test_drawn_frames_are_answered_or_end_the_socket_with_a_reason(door: Door) -> None:
    before = door.written()

    @how(max_examples=200, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(frames, min_size=1, max_size=6), st.booleans())
    def tried(told: list[str | bytes], join: bool) -> None:
        held_to_the_protocol(door.tell(*told, join=join))

    tried()
    assert healthy(door.servers.live_port)
    assert door.written() == before
    assert "Traceback" not in door.servers.log("live")


@pytest.mark.stack
def test_frames_in_the_wrong_order_end_the_socket(door: Door) -> None:
    claim = json.dumps({"type": "claim", "id": "1", "key": "k", "batch": NOBODYS, "count": 1})
    authenticate = '{"type":"authenticate","ticket":"x"}'
    for told, join, key, code in [
        ((authenticate,), True, True, 4400),
        (('{"type":"join"}',), True, True, 4400),
        (('{"type":"snapshot"}',), False, True, 4400),
        ((claim,), False, False, 4401),
        (('{"type":"join"}',), False, False, 4401),
        ((authenticate,), False, False, 4401),
    ]:
        outcome = door.tell(*told, join=join, key=key)
        held_to_the_protocol(outcome)
        assert outcome.code == code, (told, join, key, outcome)


@pytest.mark.stack
@pytest.mark.parametrize("size", [65_537, 10 * 1024 * 1024])
def test_a_frame_that_is_too_large_ends_the_socket_without_being_kept(door: Door, size: int) -> None:
    outcome = door.tell(" " * size)
    assert outcome.code in (1009, 1006), outcome  # 1006: the rest of the frame met a closed door
    assert healthy(door.servers.live_port)


@pytest.mark.stack
def test_more_frames_than_allowed_end_the_socket_and_harm_nobody_else(door: Door) -> None:
    outcome = door.tell(*['{"type":"ping"}'] * 200)
    assert outcome.code == 4429 and outcome.reason
    assert door.tell('{"type":"ping"}').code is None


@pytest.mark.stack
def test_somebody_who_says_nothing_at_first_is_sent_away(door: Door) -> None:
    began = time.monotonic()
    origin: Any = door.servers.web_url
    url = f"{door.servers.live_url}/ws/worker/"
    with (
        connect(url, compression=None, proxy=None, origin=origin) as silent,
        pytest.raises(ConnectionClosed) as closed,
    ):
        silent.recv(timeout=WITHIN_S)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
    assert time.monotonic() - began > 1
