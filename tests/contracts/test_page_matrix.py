"""Every page × method × person × {own, foreign, nonexistent, another's below one's own} (R28), generated from
`who_may.PAGES`.

A page without a line fails, and so does a line without a page. Forms are sent with a key of their own, so that what
needs nothing else is done.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.acts import undone
from tests.api.test_matrix import CROSSED, METHODS, ROUTES, WHOSE
from tests.contracts.persons import PERSONS, RANKS, STAFF, STRANGERS, WORKERS, World
from tests.contracts.routes import Page, as_it_is, pages
from tests.contracts.test_same_statements import VALUES
from tests.contracts.who_may import FORMS, PAGES, QUERIES

# What changes from page to page and says nothing: tokens of forms, and the address itself.
CHANGING = re.compile(
    rb'name="(?:csrfmiddlewaretoken|form_key)" value="[^"]*"|data-csrf="[^"]*"|[0-9a-f]{8}-[0-9a-f-]{27}'
)
# So that the processes of a run share the work.
PARTS = 8


def line_of(path: str) -> str | None:
    """The line for an address, its own or that of what it lies below."""
    below = [entry for entry in PAGES if entry.endswith("/**") and path.startswith(entry.removesuffix("**"))]
    return PAGES.get(path) or (PAGES[max(below, key=len)] if below else None)


def gates_of(line: str) -> dict[str, str]:
    """Who is let in, by method."""
    found = {}
    for part in line.split(","):
        *methods, gate = part.split()
        found |= dict.fromkeys(methods, gate)
    return found


def lets_in(gate: str, person: str, whose: str) -> bool:
    """Whether a gate, of those joined by +, lets a person to something of somebody's."""
    if gate == "anybody":
        return True
    if person in STRANGERS:
        return False
    if gate == "signed":
        return True
    if gate == "factor":
        return person in (*WORKERS, *STAFF)
    if gate == "open":
        return person in WORKERS and whose != "nonexistent"
    if gate == "worker":
        return person == "worker" and whose == "own"
    # What is another's is the other requester's own; he is the owner there.
    if gate == "mine":
        return (person, whose) in (("owner", "own"), ("other requester", "foreign"))
    if gate in RANKS:
        if person == "other requester":
            return whose == "foreign"
        return whose == "own" and person in RANKS and RANKS.index(person) >= RANKS.index(gate)
    roles = STAFF if gate == "staff" else tuple(gate.split("|"))
    assert set(roles) <= set(STAFF), f"nobody knows the gate {gate}"
    return person in roles and whose in ("own", "foreign")


def wanted(gates: str, person: str, whose: str, named: bool) -> set[str]:
    """What may be answered: `in`, or how it is refused."""
    whose = whose if named else "own"
    each = gates.split("+")
    if any(lets_in(gate, person, whose) for gate in each):
        return {"in"}
    # Where there is nothing that could be another's, another worker is let in as well.
    if not named and "worker" in each and person in WORKERS:
        return {"in"}
    if person in STRANGERS:
        return {"login"}
    if {"worker", "open"} & set(each):
        return {"none"} if person in WORKERS else {"start"}
    if {"mine", "factor"} & set(each):
        return {"none"}
    if gate := next(iter(set(each) & set(RANKS)), None):
        low = person in RANKS and RANKS.index(person) < RANKS.index(gate)
        return {"low"} if low and (whose == "own" or whose in CROSSED) else {"none"}
    # Staff of another role are told so; to all others there may be nothing at all.
    return {"low", "none"}


def heard(response: Any) -> str:
    """What a page answered, in a word."""
    place = response.get("Location", "")
    if response.status_code >= 500:
        return f"broken ({response.status_code})"
    if response.status_code == 401:
        return "login"
    if response.status_code in (301, 302, 303) and place.startswith("/accounts/login/?next="):
        return "login"
    if response.status_code == 302 and place.startswith("/work/start/?next="):
        return "start"
    # Who is signed in already has no business there.
    if response.status_code == 302 and place == "/arrived/":
        return "arrived"
    # Pages of the sign-in library lead to what must come before them.
    if response.status_code == 302 and place.startswith("/accounts/"):
        return "elsewhere"
    # Addresses that only act lead whoever looks to the page above, which asks for itself; see `pages.acts`.
    asked = response.wsgi_request.path
    if response.status_code == 302 and asked != place and asked.startswith(place or asked):
        return "above"
    return {403: "low", 404: "none", 405: "method"}.get(response.status_code, "in")


def kinds_of(page: Page, gate: str | None) -> list[str]:
    """Whose things a page can be asked for by a method; where it is not served, it looks at no id."""
    if gate is None or not page.named:
        return ["own"]
    crossed = len(page.named) > 1 and "uidb36" not in page.named
    return [whose for whose in WHOSE if whose not in CROSSED or crossed]


def questions(of: list[Page]) -> Iterator[tuple[Page, str, str, str, str | None]]:
    """Page, method, person, whose, and the gate, if the method is served."""
    for page in of:
        line = line_of(page.path)
        gates = gates_of(line) if line else {}
        for method in METHODS:
            for person in PERSONS:
                for whose in kinds_of(page, gates.get(method)):
                    yield page, method, person, whose, gates.get(method)


def ask(world: World, person: str, method: str, page: Page, whose: str) -> Any:
    client, path = world.client(person), world.path(page, whose)
    if method == "POST":
        return client.post(path, {"form_key": uuid4().hex, **FORMS.get(page.path, {})})
    return client.generic(method, path, QUERY_STRING=QUERIES.get(page.path, "") if method == "GET" else "")


def test_every_page_has_its_line_and_every_line_its_page() -> None:
    without = [as_it_is(page) for page in pages() if line_of(page.path) is None]
    assert without == [], "who may see these? They do so now; is it right?\n" + "\n".join(without)
    served = {page.path for page in pages()}
    below = {line for line in PAGES if line.endswith("/**") and any(path.startswith(line[:-2]) for path in served)}
    assert [line for line in (*PAGES, *FORMS, *QUERIES) if line not in served | below] == []


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_lets_in_whom_it_should_and_no_other(world: World, part: int) -> None:
    wrong = []
    for page, method, person, whose, gate in questions(pages()[part::PARTS]):
        with undone():
            said = heard(ask(world, person, method, page, whose))
        if gate is None:
            # Some who have no business there are told so first; nobody is served.
            fine = {"method", "login", "start", "arrived", "elsewhere", "above", "low", "none"}
        else:
            fine = wanted(gate, person, whose, bool(page.named))
            said = "in" if said in ("arrived", "elsewhere", "above") else said
        if said not in fine:
            wrong.append(f"{method} {page.path} {whose} as {person}: {said}, not {' or '.join(sorted(fine))}")
    assert wrong == [], "\n".join(wrong)


def test_the_size_of_the_matrix() -> None:
    cells = sum(1 for _question in questions(pages()))
    operations = sum(len(gates_of(line)) for line in PAGES.values())
    print(
        f"\npages: {len(PAGES)} addresses ({operations} operations) × {len(PERSONS)} persons × {len(METHODS)} methods"
        f" × up to {len(WHOSE)} kinds of things = {cells:,} cells"
    )
    assert cells > 13_000


@pytest.mark.parametrize("part", range(PARTS))
def test_anothers_page_looks_like_none_and_asks_the_database_the_same(world: World, part: int) -> None:
    different = []
    for page in pages()[part::PARTS]:
        for method, gate in gates_of(line_of(page.path) or "GET anybody").items():
            kinds = kinds_of(page, gate)
            for one, other in (("foreign", "nonexistent"), ("crossed", "missing")):
                for person in PERSONS if one in kinds else ():
                    # Who is let in to others' things may see that they are there.
                    if any(lets_in(each, person, one) for each in gate.split("+")):
                        continue
                    first, second = (told(world, person, method, page, whose) for whose in (one, other))
                    if first[0] != second[0]:
                        different.append(f"{method} {page.path} {one} as {person}: {first[0][:2]}, {second[0][:2]}")
                    elif first[1] != second[1]:
                        more = [text[:300] for text in set(first[1]) ^ set(second[1])]
                        different.append(f"{method} {page.path} {one} as {person}: other statements: {more[:2]}")
    assert different == [], "\n".join(different)


def told(world: World, person: str, method: str, page: Page, whose: str) -> tuple[tuple[int, str, bytes], list[str]]:
    """What a page answers, and what it asks the database for that, both without the ids."""
    with undone(), CaptureQueriesContext(connection) as queries:
        answer = ask(world, person, method, page, whose)
    path = world.path(page, whose)
    body = CHANGING.sub(b"", answer.content.replace(path.encode(), b""))
    statements = [VALUES.sub("?", query["sql"]) for query in queries]
    return (answer.status_code, unquote(answer.get("Location", "")).replace(path, ""), body), statements


def test_no_form_is_taken_without_the_token_of_its_page(world: World) -> None:
    """Whatever a session opens needs the token of a page of ours, the API's writes too (R34)."""
    taken, own = [], world.things["own"]
    for page in pages():
        for method in set(gates_of(line_of(page.path) or "GET anybody")) - {"GET"}:
            for person in ("worker", "owner", "superuser"):
                client = world.client(person, enforce_csrf_checks=True)
                with undone():
                    answer = client.generic(method, world.path(page))
                if answer.status_code != 403:
                    taken.append(f"{method} {page.path} as {person}: {answer.status_code}")
    for path, route in ROUTES.items():
        for method, may in route.methods.items():
            for person in ("worker", "owner", "superuser") if method != "GET" and may.kind else ():
                client = world.client(person, enforce_csrf_checks=True)
                with undone():
                    address = f"/api/v1/{path.format(**own)}"
                    answer = client.generic(
                        method, address, b"{}", content_type="application/json", headers={"Idempotency-Key": "k"}
                    )
                # Addresses for strangers look at no session at all.
                if answer.status_code not in (401, 403) and "anonymous" not in may.kind:
                    taken.append(f"{method} /api/v1/{path} as {person}: {answer.status_code} {answer.content[:80]!r}")
    assert taken == [], "\n".join(taken)
