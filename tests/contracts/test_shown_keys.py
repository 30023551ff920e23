"""What each role is shown (R29): the keys of every answer of the API are as they were when somebody last looked.

A field that appears, goes, or is shown to another role is a difference in `shown_keys.json`. After looking at it:
`TOUCHSTONE_SNAPSHOT=write python -m pytest tests/contracts/test_shown_keys.py`.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.acts import undone
from tests.api.callers import Reply
from tests.api.market import ROLES, Market
from tests.api.test_matrix import ROUTES, ask, ids  # noqa: F401  (`ids` is a fixture)
from tests.api.test_openapi import NEEDED

SNAPSHOT = Path(__file__).with_name("shown_keys.json")
WRITE = os.environ.get("TOUCHSTONE_SNAPSHOT") == "write"
# Keys that are ids or names of somebody.
NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|w_\w+|[a-z]+:[0-9a-f-]{36}.*")
# Never shown to anybody who has no business with it, under any name.
SECRET = re.compile(r"passw|digest|hash$|secret|token_key|user_id|worker_id|_state$|is_gold|is_staff|is_superuser")
# Where the word is not the thing: each is shown to whom it is said here, and was looked at.
KNOWN = {
    "POST requesters/{requester}/webhooks", "POST webhooks/{webhook}/rotate", "POST worker/totp",
    "GET batches/{batch}/datasets/{number}/manifest",
}  # fmt: skip
# What proves the books, the log and a batch's gold to others, until when an old secret holds, and names of throttles.
KNOWN_KEYS = {
    "hash", "root_hash", "source_hash", "destination_hash", "memo_hash", "previous_secret_until", "password-account",
    "password-address",
}  # fmt: skip
# These tell of judged answers, and which those are is drawn: what one draw leaves out was seen in another.
BY_CHANCE = {
    "GET batches/{batch}/pilot-report", "GET batches/{batch}/quality-report", "GET batches/{batch}/results/lineage",
}  # fmt: skip
# Of a movement of money, which are the same for gold and for work.
KINDS_OF_MONEY = {("GET worker/statement/lines", "results[].kind"), ("GET worker/statement.csv", "kind")}


def keys_of(value: Any, before: str = "") -> set[str]:
    """Every key by its path; those of all elements of a list together."""
    if isinstance(value, dict):
        found = set()
        for name, inner in value.items():
            path = f"{before}.{NAMES.sub('*', name)}".removeprefix(".")
            found |= {path} | keys_of(inner, path)
        return found
    if isinstance(value, list):
        return set().union(*(keys_of(inner, f"{before}[]") for inner in value))
    return set()


def shown_by(reply: Reply) -> set[str] | None:
    """The keys of a reply, or the columns of a table; None where it shows no fields."""
    kind = reply.headers.get("Content-Type", "").partition(";")[0]
    if kind == "application/json":
        return keys_of(reply.json)
    if kind == "application/x-ndjson":
        return keys_of([json.loads(line) for line in reply.body.splitlines()])
    if kind == "text/csv":
        return set(reply.body.decode().partition("\r\n")[0].split(","))
    return None


@pytest.fixture(scope="module")
def shown(module_market: Market, ids: dict[str, dict[str, Any]]) -> dict[str, dict[str, list[str]]]:  # noqa: F811
    """Operation → roles → keys, as it is now."""
    found: dict[str, dict[str, list[str]]] = {}
    for path, route in sorted(ROUTES.items()):
        for method, may in sorted(route.methods.items()):
            by_keys: dict[tuple[str, ...], list[str]] = {}
            for who in ROLES:
                if who not in may.own:
                    continue
                asked = path.format(**ids["own"]) + NEEDED.get(f"/api/v1/{path}", "")
                with undone():
                    reply = ask(module_market, who, method, asked, may)
                keys = shown_by(reply) if reply.status < 300 else None
                if keys is not None:
                    by_keys.setdefault(tuple(sorted(keys)), []).append(who)
            if by_keys:
                found[f"{method} {path}"] = {", ".join(roles): list(keys) for keys, roles in by_keys.items()}
    return found


def test_each_role_is_shown_what_it_was_shown_when_somebody_looked(shown: dict[str, Any]) -> None:
    kept = json.loads(SNAPSHOT.read_text())
    for name in BY_CHANCE:
        roles = shown.setdefault(name, {})
        for role, keys in kept.get(name, {}).items():
            roles[role] = sorted({*keys, *roles.get(role, [])})
    if WRITE:
        SNAPSHOT.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n")
        kept = shown
    lines = [
        {(name, role, key) for name, roles in of.items() for role, keys in roles.items() for key in keys}
        for of in (kept, shown)
    ]
    different = sorted(lines[0] ^ lines[1])
    assert different == [], f"look at it, then run it with TOUCHSTONE_SNAPSHOT=write: {different}"
    assert len(shown) > 130


def test_nothing_is_shown_under_a_name_of_the_inside(shown: dict[str, Any]) -> None:
    found = {
        (name, key)
        for name, roles in shown.items()
        if name not in KNOWN
        for keys in roles.values()
        for key in keys
        if (last := key.rpartition(".")[2]) not in KNOWN_KEYS and SECRET.search(last)
    }
    assert found == set()


def test_no_worker_is_shown_what_tells_gold_from_work(shown: dict[str, Any]) -> None:
    told = {
        (name, key)
        for name, roles in shown.items()
        for role, keys in roles.items()
        if "worker" in role
        for key in keys
        if "gold" in key.lower() or key.endswith(("kind", "verdict", "reserved"))
    }
    assert told == KINDS_OF_MONEY
