"""Actors that ask in the process of a test, of a site without faults."""

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from tests.api.callers import Caller
from tests.torture.caller import Reply
from tests.torture.journal import Journal


def asks(actor: Any, name: str, caller: Caller, folder: Path) -> None:
    """Let an actor that was made without its setting ask by the caller, and as a stranger where it does that."""
    stranger = Caller("a stranger")

    def ask(
        method: str, path: str, content: bytes | None, key: str | None, kind: str, part: str | None = None
    ) -> Reply:
        headers = {} if part is None else {"Range": part}
        reply = caller.call(method, path.lstrip("/"), raw=content, key=key, content_type=kind, headers=headers)
        return Reply(reply.status, reply.body)

    def knock(method: str, path: str, *_: Any, **__: Any) -> Reply:
        reply = stranger.call(method, path.lstrip("/"))
        return Reply(reply.status, reply.body)

    actor.name, actor._writes, actor.chance = name, 0, Random(name)
    actor.journal = Journal(folder / f"{name}.jsonl", name)
    actor.control = SimpleNamespace(running=True, stopped=False)
    actor._until_answered, actor._caller = ask, SimpleNamespace(ask=knock)
