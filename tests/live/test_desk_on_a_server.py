"""Long-poll and the requester's socket on a real live server: many at once, real commits, and a server that dies."""

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from deploy.stack.site import HOST
from marketplace.common.transactions import one_transaction
from marketplace.streams import commands, queries, wake
from marketplace.streams.routes import Fact, address_of_worker, topic_of_batch
from tests import factories as make
from tests.api_client import key_for
from tests.live.servers import Servers, serving
from workers.live.requester_socket import states_of_batches

Together = Callable[..., list[Any]]
DEADLINE_S = 120


def asked(servers: Servers, path: str, key: str) -> tuple[int, bytes]:
    """Status and body of a request to the live server. Raises `OSError` or `HTTPException` while it is away."""
    with closing(HTTPConnection(HOST, servers.live_port, timeout=40)) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        return response.status, response.read()


def test_who_lives_by_long_poll_sees_all_once_and_in_order_though_the_server_dies(
    committed: str, together: Together, tmp_path: Path
) -> None:
    workers = [make.make_worker() for _ in range(8)]
    keys, epoch = [key_for(worker.user, "worker") for worker in workers], queries.epoch()
    written: dict[int, list[int]] = {}
    over, event = threading.Event(), iter(range(1, 1_000_000))

    def write(turn: int) -> int:
        chance = random.Random(turn)
        for number in range(60):
            worker = chance.choice(workers)
            with one_transaction(principal="test"):
                heads = commands.append(
                    [Fact(next(event), address_of_worker(worker.pk), "place_taken", {"n": f"{turn}.{number}"})]
                )
            # Some wakes are lost.
            if chance.random() < 0.7:
                wake.announce(heads, {})
            time.sleep(chance.random() / 20)
        return turn

    def disturb() -> str:
        try:
            for _ in range(2):
                time.sleep(1.5)
                servers.kill("live")
                time.sleep(0.3)
                servers.start("live")
        finally:
            over.set()
        return "disturbed"

    def read(place: int) -> list[Any]:
        worker, key, found, seq = workers[place], keys[place], [], 0
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                path = f"/live/worker/stream?epoch={epoch}&after={seq}&wait=2"
                status, body = asked(servers, path, key)
            except (OSError, HTTPException):
                time.sleep(random.random() / 2)
                continue
            assert status == 200, body
            page = json.loads(body)
            found += [(fact["seq"], fact["body"]["n"]) for fact in page["facts"]]
            seq = page["cursor"]["seq"]
            if over.is_set() and done.is_set() and seq == queries.head(address_of_worker(worker.pk)):
                return found
        raise AssertionError(f"only {seq} of {queries.head(address_of_worker(worker.pk))} were read")

    done, running = threading.Event(), [3]

    def writing(turn: int) -> int:
        try:
            return write(turn)
        finally:
            running[0] -= 1
            if not running[0]:
                done.set()

    with serving(committed, tmp_path, "live") as servers:
        readers = [lambda place=place: read(place) for place in range(len(workers))]
        writers = [lambda turn=turn: writing(turn) for turn in range(3)]
        results = together([disturb, *writers, *readers])

    assert results[:4] == ["disturbed", 0, 1, 2]
    for worker, found in zip(workers, results[4:], strict=True):
        entries = queries.after({address_of_worker(worker.pk): 0}, 1_000)[address_of_worker(worker.pk)]
        assert entries
        assert found == [(entry.seq, entry.body["n"]) for entry in entries]
        written[worker.pk] = [entry.seq for entry in entries]
        assert written[worker.pk] == list(range(1, len(entries) + 1))
    assert sum(map(len, written.values())) == 180


def test_a_batch_on_which_many_work_at_once_is_shown_as_it_is_in_the_end_and_no_version_is_missed(
    committed: str, together: Together, tmp_path: Path
) -> None:
    batch = make.make_batch(tasks=40)
    key = key_for(make.owner_of(batch.requester), "requester")
    workers, name, shown_as = (
        [make.make_worker() for _ in range(5)],
        topic_of_batch(batch.pk),
        f"batch:{batch.public_id}",
    )

    def work(place: int) -> int:
        for step in range(4):
            leases = make.take(workers[place], batch, 2)
            make.answer(workers[place], leases)
            with one_transaction(principal="test"):
                versions = commands.touch([name])
            if (place + step) % 3:
                wake.announce({}, versions)
        return place

    def look_on() -> tuple[dict[str, Any], int]:
        with connect(
            f"{servers.live_url}/ws/requester/", additional_headers={"Authorization": f"Bearer {key}"}
        ) as socket:
            assert json.loads(socket.recv(timeout=20))["type"] == "hello"
            socket.send(json.dumps({"type": "subscribe", "topic": shown_as}))
            whole = json.loads(socket.recv(timeout=20))
            state, version, messages = whole["state"], whole["version"], 1
            deadline = time.monotonic() + DEADLINE_S
            while time.monotonic() < deadline:
                try:
                    change = json.loads(socket.recv(timeout=4))
                except TimeoutError:
                    # Nothing moves any more; a wake that was lost costs two seconds at most.
                    if state["progress"]["submitted"] == 40:
                        break
                    continue
                assert (change["type"], change["from"]) == ("change", version)
                assert change["version"] >= version
                state.update(change["set"])
                for gone in change["gone"]:
                    del state[gone]
                version, messages = change["version"], messages + 1
            return state, messages

    with serving(committed, tmp_path, "live") as servers:
        (state, messages), *results = together([look_on, *(lambda place=place: work(place) for place in range(5))])

    assert results == list(range(5))
    assert state["progress"]["submitted"] == 40
    # What goes by the clock may have moved since.
    now = json.loads(json.dumps(states_of_batches([name])[name], default=str))
    for part in ("state", "progress", "money", "wanted", "places_left"):
        assert state[part] == now[part], part
    # Changes that come close together are one.
    assert messages <= 21
