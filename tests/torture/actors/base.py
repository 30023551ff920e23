"""What every actor over HTTP can do: ask, write exactly once however often the answer gets lost, keep a journal."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from tests.torture.caller import Caller, Reply, Unanswered
from tests.torture.control import Control
from tests.torture.journal import Journal
from tests.torture.stage import HOST, Person, Stage

CUT_SHARE = 0.02  # of all writes, when no fault asks for more
JSON = "application/json"


class GaveUp(Exception):
    """The run is over; what was asked last stays unknown."""


@dataclass(frozen=True)
class Setting:
    """What actors are made with."""

    stage: Stage
    seed: int
    web_port: int
    cutter_port: int
    folder: Path
    control: Control
    live_port: int = 0


@dataclass(frozen=True)
class Written:
    """A write with the answer that it got: what a repeat must get again."""

    method: str
    path: str
    content: bytes
    key: str
    reply: Reply


class Actor:
    """One client with a seed of its own. `step` does one thing and says how many seconds to rest.

    `prepare` runs before the first fault, one actor after the other; what it leaves in `self` is there in `step`.
    """

    kind: ClassVar[str]

    def __init__(self, name: str, person: Person, setting: Setting) -> None:
        self.name = name
        self.person = person
        self.stage = setting.stage
        self.control = setting.control
        self.folder = setting.folder
        self.chance = Random(f"{setting.seed}:{name}")
        self.journal = Journal(setting.folder / f"{name}.jsonl", name)
        self._caller = Caller(HOST, setting.web_port, person.key, setting.cutter_port)
        self._writes = 0

    def prepare(self) -> None:
        """Nothing, unless the actor needs something to begin with."""

    def step(self) -> float:
        """Do one thing; the seconds to rest after it."""
        raise NotImplementedError

    def run(self) -> None:
        """Step after step until the run ends. Whatever goes wrong in here is a finding, never silence."""
        try:
            while self.control.running:
                self.rest(self.step())
        except GaveUp:
            pass
        except Exception as error:
            self.journal.note("surprise", what=f"{self.kind} failed: {type(error).__name__}", detail=str(error)[:500])
        finally:
            self._caller.close()

    def rest(self, seconds: float) -> None:
        """Sleep, but not past the end of the run."""
        until = time.monotonic() + seconds
        while self.control.running and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))

    def read(self, path: str) -> Any:
        """GET until it is answered; the decoded body."""
        return self._until_answered("GET", path, None, None, JSON).body

    def read_range(self, path: str, first: int, last: int) -> Reply:
        """GET some bytes, from the first to the last, until an answer is there whole."""
        return self._until_answered("GET", path, None, None, JSON, f"bytes={first}-{last}")

    def write(self, path: str, body: Any, *, method: str = "POST", kind: str = JSON) -> Written:
        """Write once: with a key of its own, repeated with the same key until an answer arrives."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.write_again(method, path, content, self.new_key(), kind)

    def write_again(self, method: str, path: str, content: bytes, key: str, kind: str = JSON) -> Written:
        """Write with a given key, as a client does that is not sure."""
        reply = self._until_answered(method, path, content, key, kind)
        return Written(method, path, content, key, reply)

    def repeat(self, written: Written) -> None:
        """Ask the same with the same key: the same bytes must come."""
        again = self.write_again(written.method, written.path, written.content, written.key)
        if written.reply.good and again.reply != written.reply:
            self.wrong("duplicated", "a repeat got another answer", f"{written.path} {again.reply} != {written.reply}")

    def reuse_key(self, written: Written, other: bytes) -> None:
        """Ask something else with the same key: it must be refused."""
        again = self.write_again(written.method, written.path, other, written.key)
        if written.reply.good and again.reply.status != 422:
            self.wrong("duplicated", "a key was used for two requests", f"{written.path} {again.reply}")

    def expect(self, written: Written, *codes: str) -> bool:
        """Whether it was done; a refusal with another code than these is noted as a surprise."""
        reply = written.reply
        if not reply.good and reply.code not in codes:
            self.journal.note(
                "surprise", what=f"{reply.status} {reply.code}", detail=f"{written.path} {reply.content!r}"
            )
        return reply.good

    def wrong(self, kind: str, what: str, detail: str) -> None:
        """Note what a client can see for himself to be wrong."""
        self.journal.note("wrong", kind=kind, what=what, detail=detail[:1000])

    def new_key(self) -> str:
        """An idempotency key that follows from the seed."""
        self._writes += 1
        return f"{self.name}-{self._writes}-{self.chance.getrandbits(48):x}"

    def _until_answered(
        self, method: str, path: str, content: bytes | None, key: str | None, kind: str, range: str | None = None
    ) -> Reply:
        tries = 0
        cut = key is not None and self.chance.random() < max(CUT_SHARE, self.control.cut_share)
        while True:
            if self.control.stopped:
                if key is not None:
                    self.journal.note("unknown", key=key, path=path)
                raise GaveUp
            tries += 1
            asked = time.time()
            try:
                cut_now = cut and tries == 1
                reply = self._caller.ask(method, path, content, key=key, kind=kind, cut=cut_now, range=range)
            except Unanswered:
                pass
            else:
                if reply.status < 500 and reply.status != 429:
                    return reply
                self.journal.note("5xx", status=reply.status, path=path, code=reply.code, asked=asked)
            time.sleep(min(1.0, 0.05 * 2**tries) * self.chance.uniform(0.5, 1.0))


def digest(content: bytes) -> str:
    """The hash under which the site stores an import."""
    return hashlib.sha256(content).hexdigest()
