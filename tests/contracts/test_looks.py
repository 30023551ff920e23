"""Each look of staff at what tells of a person leaves a row in the audit log before it is answered (R36): one line for
each address that staff may read, with the act and what it names.

An address without a line fails, and so does a line without an address; where nothing is left behind, its line says so.
Records are held to the same by a test of their own (`tests/staff/test_records.py`).
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from marketplace.accounts.models import Act
from marketplace.api.worker_parts import PARTS
from tests.acts import undone
from tests.api.callers import BASE
from tests.api.market import Market
from tests.api.test_matrix import ROUTES, ids  # noqa: F401  (`ids` is a fixture)
from tests.api.test_openapi import NEEDED
from tests.contracts.persons import STAFF, World
from tests.contracts.routes import Page, pages
from tests.contracts.test_page_matrix import gates_of, line_of
from tests.contracts.who_may import QUERIES

# What is one person's, all that is of a kind, and what has a row of its own.
WORKER = ["person.viewed worker"]
KEYS = ["gold.viewed batch"]
NOTHING: list[str] = []

BY_API: dict[str, list[str]] = {
    # Counts, terms, sums of money, what the site itself does, and seals.
    **dict.fromkeys(
        (
            "check", "check/last", "configuration", "configuration/history", "dead-letters", "ledger/anchors",
            "ledger/head", "liabilities", "market-health", "market-quality", "payouts/in-flight", "platform-rules",
            "presence", "audit-log/anchors", "audit-log/check", "audit-log/head",
        ),
        NOTHING,
    ),
    # What organisations paid in, and what staff did with reports and runs; whose payouts are in a run is below.
    **dict.fromkeys(
        ("deposit-reports", "deposits", "payout-reports", "payout-runs", "payout-runs/{run}", "payout-runs/{run}/file"),
        NOTHING,
    ),
    # Ids of who acted and on what, and nothing else.
    "audit-log": NOTHING,
    # One's own.
    "keys": NOTHING,
    # With nothing that says whose the answers are. An appeal leaves a row where another was named to judge it.
    "appeals/{appeal}": NOTHING,
    "rejection-reviews": NOTHING,
    "rejection-reviews/{review}": NOTHING,
    "appeals": ["person.viewed appeals"],
    "batches/{batch}/file": ["person.viewed batch"],
    "batches/{batch}/file/keys": KEYS,
    "commitments/{batch}/openings": KEYS,
    "destination-attempts": ["person.viewed destination_attempts"],
    "firings": ["person.viewed firings"],
    "ledger/account": WORKER,
    "ledger/transfers": WORKER,
    "liabilities.csv": ["export.liabilities ledger"],
    "market-quality/days.csv": ["export.figures market"],
    "payout-runs/{run}/payouts": ["person.viewed payout_run"],
    "payouts": ["person.viewed payouts"],
    "people": ["person.searched people"],
    "requesters/{requester}/file": ["person.viewed requester"],
    "sanctions": ["person.viewed sanctions"],
    "sanctions/{sanction}": ["person.viewed sanction"],
    "staff": ["person.viewed staff"],
    "workers/links": ["person.viewed links"],
    "workers/{worker}": WORKER,
    **{f"workers/{{worker}}/{part}": WORKER for part in PARTS},
}  # fmt: skip
BY_PAGE: dict[str, list[str]] = {
    **dict.fromkeys(
        (
            "/metrics", "/staff/", "/staff/quality/", "/staff/configuration/", "/staff/configuration/rules/",
            "/staff/money/", "/staff/money/books/", "/staff/money/in/", "/staff/money/in/{deposit}/reverse/",
            "/staff/money/in/reports/{deposit_report}/", "/staff/money/runs/", "/staff/money/runs/{run}/file/",
            "/staff/money/reconciliation/", "/staff/money/reconciliation/{payout_report}/", "/staff/log/",
            "/staff/log/check/", "/staff/appeals/{appeal}/", "/staff/rejections/", "/staff/rejections/{review}/",
        ),
        NOTHING,
    ),
    "/staff/appeals/": ["person.viewed appeals"],
    "/staff/configuration/staff/": ["person.viewed staff"],
    "/staff/configuration/staff/{user}/revoke/": ["person.viewed staff"],
    "/staff/money/attempts/": ["person.viewed destination_attempts"],
    "/staff/money/payouts/": ["person.viewed payouts"],
    "/staff/money/payouts/{payout}/refuse/": ["person.viewed payout"],
    "/staff/money/runs/{run}/": ["person.viewed payout_run"],
    "/staff/people/": ["person.searched people"],
    "/staff/people/links/{link}/end/": ["person.viewed link"],
    "/staff/people/requesters/{requester}/": ["person.viewed requester"],
    "/staff/people/sanctions/": ["person.viewed sanctions"],
    "/staff/people/sanctions/{sanction}/lift/": ["person.viewed sanction"],
    "/staff/people/workers/{worker}/": WORKER,
    "/staff/people/workers/{worker}/link/": WORKER,
    "/staff/people/workers/{worker}/sanction/": WORKER,
    **{f"/staff/people/workers/{{worker}}/{part}/": WORKER for part in PARTS},
    "/staff/quality/batches/{batch}/": ["person.viewed batch"],
    "/staff/quality/batches/{batch}/keys/": KEYS,
    "/staff/quality/firings/": ["person.viewed firings"],
}  # fmt: skip
# What an address asks for where it would tell of nobody otherwise.
ASKED = {f"ledger/{what}": "?address=worker:{worker}:earned" for what in ("account", "transfers")}
ASKED_OF_PAGES = {"/staff/people/": "search=nobody"}


def looked(ask: Callable[[], int]) -> tuple[int, list[str]]:
    """How it was answered, and what that left in the log."""
    with undone():
        newest = Act.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        status = ask()
        return status, [f"{row.act} {row.subject}" for row in Act.objects.filter(pk__gt=newest).order_by("pk")]


def status_of(market: Market, path: str) -> int:
    return market["staff"].get(path).status


def compared(lines: dict[str, list[str]], answered: dict[str, tuple[int, list[str]]]) -> None:
    # Nobody has released the run whose file is asked for, nor has anybody had the books looked at.
    fine = (200, 302, 404, 409)
    wrong = [
        f'"{path}": {left}, answered {status}'
        for path, (status, left) in sorted(answered.items())
        if left != lines.get(path) or status not in fine
    ]
    assert wrong == [], "they leave this now; is it right?\n" + "\n".join(wrong)
    assert sorted(set(lines) - set(answered)) == [], "no such address"


def test_every_look_of_staff_by_the_api_leaves_the_rows_of_its_line(market: Market, ids: Any) -> None:  # noqa: F811
    answered = {}
    for path, route in ROUTES.items():
        may = route.methods.get("GET")
        if may is None or "staff" not in may.own or "anonymous" in may.kind:
            continue
        asked = (path + (ASKED.get(path) or NEEDED.get(f"{BASE}/{path}", ""))).format(**ids["own"])
        answered[path] = looked(partial(status_of, market, asked))
    compared(BY_API, answered)


def test_every_look_of_staff_at_a_page_leaves_the_rows_of_its_line(world: World) -> None:
    client, answered = world.client("superuser"), {}

    def look(page: Page) -> int:
        asked = ASKED_OF_PAGES.get(page.path) or QUERIES.get(page.path, "")
        return int(client.get(world.path(page), QUERY_STRING=asked).status_code)

    for page in pages():
        gates = re.split(r"[+|]", gates_of(line_of(page.path) or "GET nobody").get("GET", ""))
        if {"staff", *STAFF} & set(gates) and not page.path.startswith("/staff/records/"):
            answered[page.path] = looked(partial(look, page))
    compared(BY_PAGE, answered)
