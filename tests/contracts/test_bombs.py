"""Imports are bounded (R32): every bomb is refused in time, at flat memory, without an error of ours and without a row.

On a real web server and, for what is taken in and fails later, a real worker. `TOUCHSTONE_GIANT=1` sends a whole GiB.
"""

import http.client
import json
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest

from marketplace.batches.models import Batch, Payload, Task
from tests import factories as make
from tests.api_client import key_for
from tests.browser.market import own_redis
from tests.conftest import Databases, own_database
from tests.contracts.bombs import CSV, GROUPS, JSONL, MEANT, MIB, Bomb, of_one_piece, row, with_mapping
from tests.live.servers import Servers, serving

pytestmark = pytest.mark.stack
GIANT = bool(os.environ.get("TOUCHSTONE_GIANT"))
IN_TIME_S = 5.0
LATER_S = 60.0
GROWTH_MAX = 100 * MIB
# So much may be told of a file that is looked at.
TOLD_MAX = 2 * MIB
INTERFACE = {
    "data": [*make.INTERFACE["data"], {"name": "picture", "type": "image", "required": False}],
    "answer": make.INTERFACE["answer"],
}


@dataclass(frozen=True)
class Way:
    """Where a file is sent, and the status with which what is right of it may be taken."""

    path: str
    taken: int | None = None


IMPORT, MAPPED, LOOK = Way("imports"), Way("imports", 201), Way("imports/preview", 200)


# Not pages of files, as those of the library that reads Parquet: the system drops them when it wants to. And what a
# child shares with its parent is counted once, or each fork would count as much as its parent until its program begins.
OWN_KIB = re.compile(r"^Pss_Anon:\s+(\d+) kB$", re.MULTILINE)


def own_memory(process: psutil.Process) -> int:
    """Bytes of the process's own memory; none if it has ended."""
    try:
        told = OWN_KIB.search(Path(f"/proc/{process.pid}/smaps_rollup").read_text())
    except OSError:
        told = None
    if told:
        return int(told[1]) * 1024
    try:
        of = process.memory_info()
    except psutil.NoSuchProcess:
        return 0
    return int(of.rss - of.shared)


class Memory:
    """What the servers use, looked at again and again; the highest."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._stop = threading.Event()
        self.highest = self.now()

    def now(self) -> int:
        total = 0
        for pid in self._pids:
            try:
                parent = psutil.Process(pid)
                total += sum(map(own_memory, (parent, *parent.children(recursive=True))))
            except psutil.NoSuchProcess:
                pass
        return total

    def __enter__(self) -> "Memory":
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.highest = max(self.highest, self.now())

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()


class Site:
    """The servers, and a requester with a draft."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.requester = make.make_requester()
        self.project = make.make_project(self.requester, INTERFACE)
        self.key = key_for(make.owner_of(self.requester), "requester")
        self.batch = make.make_draft(self.project)
        self.pids = [servers.pid(name) for name in ("web", "worker", "beat")]

    def send(self, bomb: Bomb, batch: Batch | None = None, way: Way = IMPORT) -> tuple[int, Any]:
        """Status and document. Whoever answers before the end closes the door on the rest."""
        place = urlsplit(self.servers.web_url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        path = f"/api/v1/batches/{(batch or self.batch).public_id}/{way.path}{bomb.query}"
        headers = {
            "Authorization": f"Bearer {self.key}", "Idempotency-Key": str(uuid4()), "Content-Type": bomb.kind,
            "Content-Length": str(bomb.size),
        }  # fmt: skip
        try:
            connection.putrequest("POST", path)
            for name, text in headers.items():
                connection.putheader(name, text)
            connection.endheaders()
            try:
                for piece in [bomb.body] if isinstance(bomb.body, bytes) else bomb.body:
                    connection.send(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        place = urlsplit(self.servers.web_url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        try:
            connection.request("GET", f"/api/v1/{path}", headers={"Authorization": f"Bearer {self.key}"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


# Those that take longest go through one of the three ways where time is short.
HEAVY = {"archives", "JSON", "Parquet"}


def in_full_only(groups: Iterable[str]) -> list[Any]:
    """The groups, the heavy ones left out of CI."""
    return [pytest.param(group, marks=pytest.mark.slow) if group in HEAVY else group for group in groups]


@pytest.fixture(scope="module")
def site(
    databases: Databases, django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("bombs")
    with (
        own_database(databases, django_db_blocker) as database,
        serving(database, folder, "web", "worker", "beat", REDIS_URL=own_redis()) as servers,
    ):
        made = Site(servers)
        # What every import costs once: modules, connections, buffers.
        for kind, body in ((JSONL, row("fine")), (CSV, "external_id,data.text\nwarm,fine\n")):
            draft = make.make_draft(made.project)
            assert made.send(Bomb("warm", kind, body.encode(), len(body)), draft)[0] == 201
        large = b"".join(
            f"{json.dumps({'external_id': f't{n}', 'data': {'text': 'x' * 900}})}\n".encode() for n in range(9_500)
        )
        status, told = made.send(Bomb("warm", JSONL, large, len(large)), draft := make.make_draft(made.project))
        assert status == 202, told
        assert finished(made, draft, told["id"])["state"] == "done"
        yield made


def finished(site: Site, batch: Batch, import_id: str) -> Any:
    """The import once it has ended."""
    deadline = time.monotonic() + LATER_S
    while time.monotonic() < deadline:
        found = site.get(f"batches/{batch.public_id}/imports/{import_id}")
        if found["finished_at"]:
            return found
        time.sleep(0.1)
    raise AssertionError(f"the import does not end: {found}")


def what_came_of(site: Site, bomb: Bomb, way: Way = IMPORT) -> list[str]:
    """What is wrong with how it was refused, or, where it may be, looked at or taken."""
    batch = site.batch if way.taken is None else make.make_draft(site.project)
    before, wrong, kept = (Task.objects.count(), Payload.objects.count()), [], 0
    with Memory(*site.pids) as memory:
        begun_with, begun = memory.now(), time.monotonic()
        status, told = site.send(bomb, batch, way)
        took_s = time.monotonic() - begun
        if status == 202 and bomb.later:
            ended = finished(site, batch, told["id"])
            if (ended["state"], ended["tasks"]) != ("failed", 0) or not ended["error_count"]:
                wrong.append(f"{ended}")
        elif status == way.taken:
            kept = told.get("tasks", 0)
            if (size := len(json.dumps(told))) > TOLD_MAX:
                wrong.append(f"tells {size / MIB:.1f} MiB")
        elif not (400 <= status < 500 and told["status"] == status):
            wrong.append(f"{status} {told}")
        if status != 202 and took_s > IN_TIME_S:
            wrong.append(f"{status} only after {took_s:.1f} s")
    growth = memory.highest - begun_with
    print(f"{bomb.name}: {bomb.size / MIB:.1f} MiB, {status} in {took_s:.2f} s, {growth / MIB:+.0f} MiB")
    if growth > GROWTH_MAX:
        wrong.append(f"took {growth / MIB:.0f} MiB of memory")
    if (Task.objects.count() - kept, Payload.objects.count() - kept) != before:
        wrong.append("left rows behind")
    return [f"{bomb.name}: {one}" for one in wrong]


def all_of(site: Site, bombs: Iterable[Bomb], way: Way = IMPORT) -> None:
    """None of them does any harm."""
    wrong, count = [], 0
    for bomb in bombs:
        wrong += what_came_of(site, bomb, way)
        count += 1
    print(f"{count} bombs")
    assert wrong == [], "\n".join(wrong)
    assert count > 1
    assert "Traceback" not in site.servers.log("web")


@pytest.mark.parametrize("group", GROUPS)
def test_bombs_are_refused_in_time_at_flat_memory_and_leave_nothing(site: Site, group: str) -> None:
    all_of(site, of_one_piece(giant=GIANT) if GIANT and group == "one piece" else GROUPS[group]())


@pytest.mark.parametrize("group", in_full_only(MEANT))
def test_nor_do_they_do_harm_where_their_columns_are_said_to_mean_something(site: Site, group: str) -> None:
    """What a mapping leaves out may be as wrong as it likes: the rest is taken, all of it or nothing."""
    mapping = json.dumps(MEANT[group])
    all_of(site, (with_mapping(bomb, mapping) for bomb in GROUPS[group]() if not bomb.query), MAPPED)


@pytest.mark.parametrize("group", in_full_only(GROUPS))
def test_nor_where_they_are_only_looked_at(site: Site, group: str) -> None:
    all_of(site, GROUPS[group](), LOOK)


def test_the_servers_are_well_after_all_of_them(site: Site) -> None:
    fine = row("fine").encode()
    status, told = site.send(Bomb("fine", JSONL, fine, len(fine)), make.make_draft(site.project))
    assert status == 201, told
    assert told["tasks"] == 1
