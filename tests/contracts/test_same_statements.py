"""Another's id is told from none by no clock (R28): the database is asked the very same for both.

Times themselves are too coarse to compare on a busy machine; what takes the time is not.
"""

import re
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.acts import undone
from tests.api.market import ROLES, Market
from tests.api.test_matrix import ROUTES, May, ids, kinds_of, named  # noqa: F401  (`ids` is a fixture)

VALUES = re.compile(r"'[^']*'(::\w+)?|\b\d+\b|\\x[0-9a-f]+|\bs\d+_x\d+\b")


def statements(market: Market, who: str, method: str, path: str, may: May) -> tuple[int, list[str]]:
    """Status, and what the database was asked, without the values."""
    with undone():
        # Made before anything is counted: a body may need rows of its own.
        body = may.body(market) if may.body else None
        with CaptureQueriesContext(connection) as queries:
            if isinstance(body, bytes):
                reply = market[who].call(method, path, raw=body, content_type=may.content_type)
            else:
                reply = market[who].call(method, path, body)
    return reply.status, [VALUES.sub("?", query["sql"]) for query in queries]


def test_the_database_is_asked_the_same_for_anothers_as_for_none(market: Market, ids: Any) -> None:  # noqa: F811
    different, asked = [], 0
    for path, route in ROUTES.items():
        for method, may in route.methods.items():
            kinds = kinds_of(path, may)
            for one, other in (("foreign", "nonexistent"), ("crossed", "missing")):
                for who in ROLES if one in kinds else ():
                    found = [statements(market, who, method, named(ids, path, whose), may) for whose in (one, other)]
                    asked += 2
                    if found[0] != found[1]:
                        more = [text for text in found[0][1] if text not in found[1][1]]
                        different.append(
                            f"{method} {path} {one} as {who}: {found[0][0]}, {found[1][0]}; more: {more[:2]}"
                        )
    assert different == [], "\n".join(different)
    print(f"\n{asked} questions about what is another's or nobody's")
