"""What an address asks, as hostile as an address can be: every page answers in words, never with an error of ours.

Generated: every page of the console, of the staff and of workers that is read; of each all the names that it looks for
in its address, which are overheard while it answers; and for them all that is in `HOSTILE`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from django.core.handlers import wsgi
from django.http import QueryDict
from django.test import Client

from tests.acts import undone
from tests.contracts.persons import World
from tests.contracts.routes import Page, pages

# Who reads the pages below an address, so that all of them open.
READERS = {"/console/": "owner", "/staff/": "superuser", "/work/": "worker"}
# As an address spells them: NUL, half a surrogate, bytes that are no text, too many digits, numbers that are none, the
# ends of the calendar and what lies a time zone behind them, JSON without an end, and a long word.
HOSTILE = {
    "nothing": "",
    "NUL": "%00",
    "a name and NUL": "t0%00",
    "half a surrogate": "%ED%A0%80",
    "no UTF-8": "%FF%FE",
    "10,000 digits": "9" * 10_000,
    "below zero": "-9223372036854775809",
    "beyond a bigint": "9223372036854775808",
    "not a number": "sNaN",
    "a huge exponent": "1e999999999",
    "the first day": "0001-01-01",
    "the last day": "9999-12-31",
    "before the first moment": quote("0001-01-01T00:00:00+14:00"),
    "behind the last moment": quote("9999-12-31T23:59:59-14:00"),
    "deep JSON": "%5B" * 3_000,
    "a lookup": "a__b__password",
    "a long word": "w_" + "x" * 5_000,
}
# So that the processes of a run share the work.
PARTS = 4
# These have what to look for, so that something is asked.
OPEN = {
    "/console/batches/{batch}/review/", "/console/batches/{batch}/lineage/", "/console/batches/{batch}/answers/",
    "/console/batches/{batch}/tasks/", "/console/batches/{batch}/setup/gold/",
    "/console/batches/{batch}/data/{number}/", "/console/{requester}/money/statement/",
    "/console/{requester}/projects/", "/staff/log/", "/staff/people/", "/staff/money/payouts/",
    "/staff/records/payouts/", "/work/", "/work/earnings/statement/",
}  # fmt: skip
# Numbers in the path itself.
NUMBERS = ("0", str(2**31), str(2**63), "9" * 30, "9" * 5_000)


def read_pages() -> Iterator[tuple[Page, str]]:
    """Every page that somebody reads, and who does."""
    for page in pages():
        reader = next((who for below, who in READERS.items() if page.path.startswith(below)), None)
        if reader is not None:
            yield page, reader


@contextmanager
def overheard() -> Iterator[set[str]]:
    """The names that are looked for in addresses meanwhile."""
    names: set[str] = set()

    class Listening(QueryDict):
        def __getitem__(self, key: Any) -> Any:
            names.add(key)
            return super().__getitem__(key)

        def __contains__(self, key: Any) -> bool:
            names.add(key)
            return super().__contains__(key)

        def getlist(self, key: Any, default: Any = None) -> Any:
            names.add(key)
            return super().getlist(key, default)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wsgi, "QueryDict", Listening)
        yield names


def status(client: Client, path: str, query: str = "") -> int:
    with undone():
        return int(client.get(f"{path}?{query}").status_code)


def questions(names: set[str], turn: int) -> dict[str, str]:
    """What a page is asked, by what is odd of it: a third of the odd in all names at once, and one thing in each
    second name by itself; other things on each page."""
    kinds = list(HOSTILE.items())
    at_once = kinds[turn // PARTS % 3 :: 3]
    found = {f"all, {kind}": "&".join(f"{name}={text}" for name in sorted(names)) for kind, text in at_once}
    for at, name in enumerate(sorted(names | {"q"})[turn // PARTS % 2 :: 2]):
        kind, text = kinds[(turn + at) % len(kinds)]
        found[f"{name}, {kind}"] = f"{name}={text}"
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_no_page_breaks_over_what_its_address_asks(world: World, part: int) -> None:
    broke, asked, opened = [], 0, set()
    for turn, (page, reader) in enumerate(read_pages()):
        if turn % PARTS != part:
            continue
        client, path = world.client(reader), world.path(page)
        with overheard() as names:
            plain = status(client, path)
            if plain == 405:
                continue
            # What is there may make it look for more.
            for name in sorted(names):
                status(client, path, f"{name}=1")
        if plain < 400:
            opened.add(page.path)
        for what, query in questions(names, turn).items():
            asked += 1
            if (said := status(client, path, query)) >= 500:
                broke.append(f"{page.path} {what}: {said}")
    assert broke == [], "\n".join(broke)
    print(f"\n{asked} hostile questions to {len(opened)} pages")
    missing = {page.path for turn, (page, _) in enumerate(read_pages()) if turn % PARTS == part} & OPEN - opened
    assert missing == set()
    assert asked > 800 / PARTS


def test_no_page_breaks_over_a_number_in_its_address(world: World) -> None:
    broke, asked = [], 0
    for page, reader in read_pages():
        for number in NUMBERS if "number" in page.named else ():
            asked += 1
            numbered = replace(page, path=page.path.replace("{number}", number))
            said = status(world.client(reader), world.path(numbered))
            if said not in (404, 405):
                broke.append(f"{page.path} {number[:40]}: {said}")
    assert broke == [] and asked >= 4 * len(NUMBERS), broke
