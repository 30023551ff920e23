"""Every long poll of the live server × method × key × {own, foreign, nonexistent} (R27, R28), generated from
`who_may.POLLS`. A poll without a line fails.
"""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.acts import undone
from tests.api.market import ROLES, Market
from tests.api.test_matrix import METHODS, VIEWERS, WORKERS, ids  # noqa: F401  (`ids` is a fixture)
from tests.contracts.who_may import POLLS
from tests.live.conftest import one_connection  # noqa: F401  (for every test here)
from tests.live.test_polls import Reply, ask, run
from workers.live.polls import ADDRESSES

WHOSE = ("nonexistent", "foreign", "own")
UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def test_every_poll_has_its_line() -> None:
    assert set(ADDRESSES) == set(POLLS)


def wanted(gate: str, method: str, who: str, whose: str) -> int:
    """The status that is answered."""
    if method != "GET":
        return 405
    if who == "anonymous":
        return 401
    if gate == "worker":
        return 200 if who in WORKERS else 403
    assert gate == "viewer", f"nobody knows the gate {gate}"
    if who not in VIEWERS | {"other requester"}:
        return 403
    return 200 if who in VIEWERS and whose == "own" else 404


def asked(market: Market, who: str, method: str, path: str) -> tuple[Reply, list[str]]:
    """What is answered at once, and what the database was asked for that, without ids."""
    replies = []

    async def story() -> None:
        replies.append(await ask(path, market[who].token, "wait=0", method))

    with undone(), CaptureQueriesContext(connection) as queries:
        run(story)
    return replies[0], [UUID.sub("", query["sql"]) for query in queries]


@pytest.mark.parametrize("path", POLLS)
def test_every_poll_answers_whom_it_should_and_no_other(market: Market, ids: Any, path: str) -> None:  # noqa: F811
    wrong: list[str] = []
    count = 0
    for method in METHODS:
        for who in ROLES:
            said = {}
            for whose in WHOSE if "{" in path else ("own",):
                address = path.format(**ids[whose])
                reply, statements = asked(market, who, method, address)
                said[whose] = (reply.status, reply.body.replace(address.encode(), b""), statements)
                count += 1
                if reply.status != (right := wanted(POLLS[path], method, who, whose)):
                    wrong.append(f"{method} {path} {whose} as {who}: {reply.status}, not {right}")
            if len(said) > 1 and said["foreign"] != said["nonexistent"]:
                wrong.append(f"{method} {path} as {who}: another's is told from none: {said}")
    assert wrong == [], "\n".join(wrong)
    print(f"\n{path}: {count} questions")
    assert count >= len(METHODS) * len(ROLES)
