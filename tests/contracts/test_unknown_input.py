"""Fields in are lists (R29): what nobody knows is refused, and lists are filtered by their own parameters alone.

Generated: each address × each field of each table, and each address × each trick of a filter.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.common.database import rows
from tests.acts import undone
from tests.api.callers import caller_for
from tests.api.described import description
from tests.api.market import Market
from tests.api.test_matrix import METHODS, ROUTES, May, ask, ids  # noqa: F401  (`ids` is a fixture)
from tests.api.test_openapi import NEEDED
from tests.contracts.persons import RANKS, World
from tests.contracts.routes import pages
from tests.contracts.test_page_matrix import gates_of, heard, line_of
from tests.contracts.test_same_statements import VALUES

Ids = dict[str, dict[str, Any]]
TRICKS = [
    "a__b__password__startswith=a", "user__password__startswith=a", "requester__members__user__email=a",
    "_connector=OR", "_connector=OR%201=1%20OR", "_negated=1", "pk=1", "id__in=1", "ordering=-user__password",
    "order=-password", "sort=email", "fields=password", "expand=user", "include=user.password", "format=api",
    "worker_id=1", "is_staff=1", "limit[]=1", "batch__requester=1", "$where=1",
]  # fmt: skip
# Each reading of a cursor gives it another name.
CURSOR = re.compile(r"_django_curs_\d+_sync_\d+")
# So many unknown fields a refusal names.
TOLD_MAX = 100
# What is worth most; nothing that a form brings along may change it.
GUARDED = {
    "who is staff": "SELECT id, is_staff, is_active, email FROM accounts_user ORDER BY id",
    "roles": "SELECT requester_id, user_id, role FROM accounts_member ORDER BY id",
    "prices": "SELECT id, price_micros, overlap FROM batches_batch ORDER BY id",
}
# What some forms are for: a new row of one's own, or the role that the form asks for.
MEANT = {
    "/console/new/": "roles", "/console/{requester}/people/{member}/": "roles",
    "/console/{requester}/people/{member}/remove/": "roles", "/console/batches/{batch}/setup/pilot/": "prices",
    "/console/batches/{batch}/pilot/go/": "prices", "/console/batches/{batch}/pilot/change/": "prices",
}  # fmt: skip


def model_fields() -> set[str]:
    """The names of all fields of all tables, as a program might bind them."""
    return {
        name
        for model in apps.get_models()
        for field in model._meta.get_fields()
        for name in (field.name, getattr(field, "attname", field.name))
    }


def properties_of(path: str, method: str) -> set[str]:
    """What the description says that the body may hold."""
    content = description()["paths"][f"/api/v1/{path}"][method.lower()].get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema.get("properties", {}))


def writes(market: Market) -> Iterator[tuple[str, str, May, dict[str, Any]]]:
    """Every operation that takes a JSON object, with a body that is right."""
    for path, route in ROUTES.items():
        for method, may in route.methods.items():
            if method == "GET" or may.body is None or not may.kind:
                continue
            with undone():
                body = may.body(market)
            if isinstance(body, dict):
                yield path, method, may, body


def one_of(may: May) -> str:
    return sorted(may.own or may.kind)[0]


def test_every_field_of_every_table_is_refused_where_it_is_not_asked_for(market: Market, ids: Ids) -> None:  # noqa: F811
    known, wrong, sent = model_fields() | {"extra", "__proto__", "constructor"}, [], 0
    assert len(known) > 300
    for path, method, may, body in writes(market):
        asked_for = properties_of(path, method)
        assert set(body) <= asked_for, f"{method} {path}: not described: {set(body) - asked_for}"
        foreign = sorted(known - asked_for)
        for at in range(0, len(foreign), TOLD_MAX):
            some = foreign[at : at + TOLD_MAX]
            with undone():
                reply = market[one_of(may)].call(method, path.format(**ids["own"]), {**dict.fromkeys(some, 1), **body})
            if (reply.status, reply.json.get("fields")) != (400, some):
                wrong.append(f"{method} {path}: {reply.status} {reply.body[:200]!r}")
        sent += len(foreign)
    assert wrong == [], "\n".join(wrong)
    print(f"\n{sent} fields that nobody asked for, all refused")


@pytest.mark.parametrize("name", ["extra", "is_staff", "_connector", "state"])
def test_one_field_too_many_is_enough(market: Market, ids: Ids, name: str) -> None:  # noqa: F811
    wrong, count = [], 0
    for path, method, may, body in writes(market):
        if name in properties_of(path, method):
            continue
        count += 1
        with undone():
            reply = market[one_of(may)].call(method, path.format(**ids["own"]), {**body, name: 1})
        if (reply.status, reply.json.get("fields")) != (400, [name]):
            wrong.append(f"{method} {path}: {reply.status} {reply.body[:200]!r}")
    assert wrong == [], "\n".join(wrong)
    assert count > 60


def test_no_list_and_no_page_is_filtered_but_by_its_own_parameters(market: Market, ids: Ids) -> None:  # noqa: F811
    """Refused, or not looked at: then the answer is to the byte, and by the very statements, what it is without."""
    wrong, sent = [], 0
    for path, route in ROUTES.items():
        may = route.methods.get("GET")
        if may is None or not may.own:
            continue
        who, needed = one_of(may), NEEDED.get(f"/api/v1/{path}", "")
        address = path.format(**ids["own"]) + needed
        plain, statements = recorded(market, who, address, may)
        # All at once: what is looked at shows among them too. Where all are refused, each must be, or not be looked at.
        together, _asked = recorded(market, who, f"{address}{'&' if needed else '?'}{'&'.join(TRICKS)}", may)
        for trick in TRICKS if together.status == 400 else ["&".join(TRICKS)]:
            sent += 1
            reply, others = recorded(market, who, f"{address}{'&' if needed else '?'}{trick}", may)
            if reply.status == 400:
                if more := [text for text in others if text not in statements and "SAVEPOINT" not in text]:
                    wrong.append(f"{path}?{trick}: refused only after {more[:2]}")
            elif (reply.status, _plain(reply.body), others) != (plain.status, _plain(plain.body), statements):
                wrong.append(f"{path}?{trick}: {reply.status} {reply.body[:100]!r}")
    assert wrong == [], "\n".join(wrong)
    print(f"\n{sent} tricks of filters, none looked at")


def recorded(market: Market, who: str, address: str, may: May) -> tuple[Any, list[str]]:
    with undone(), CaptureQueriesContext(connection) as queries:
        reply = ask(market, who, "GET", address, may)
    return reply, [VALUES.sub("?", query["sql"]) for query in queries]


def _plain(body: bytes) -> bytes:
    """Without what changes by itself: times and seconds, and the addresses of problems and of next pages."""
    return re.sub(rb'"\d{4}-\d\d-\d\dT[^"]*"|"(?:next|instance)":"[^"]*"|"\w+_s":[\d.]+', b"", body)


def test_a_closed_account_opens_nothing_of_the_api(market: Market, ids: Ids) -> None:  # noqa: F811
    user = market.requester.members.get(role="owner").user
    suspended = caller_for(user, "requester", "worker", who="suspended requester")
    type(user).objects.filter(pk=user.pk).update(is_active=False)
    let_in, asked = [], 0
    for path, route in ROUTES.items():
        # They look at no key, and count those who ask.
        for_strangers = any("anonymous" in may.kind for may in route.methods.values())
        for method in METHODS:
            may = route.methods.get(method)
            for whose in ("own", "foreign", "nonexistent"):
                with undone():
                    body = may.body(market) if may and may.body else None
                    raw = body if isinstance(body, bytes) else None
                    reply = suspended.call(method, path.format(**ids[whose]), None if raw else body, raw=raw)
                asked += 1
                fine = {401} if may and "anonymous" not in may.kind else {401, 405}
                if reply.status not in fine and not for_strangers:
                    let_in.append(f"{method} {path} {whose}: {reply.status}")
    assert let_in == [], "\n".join(let_in)
    print(f"\n{asked} questions of a closed account, none answered")


# --- pages -------------------------------------------------------------------------------------------------------


def allowed(gate: str) -> str:
    """Somebody whom the gate lets in."""
    gate = gate.partition("+")[0]
    plain = {"anybody": "worker", "signed": "worker", "open": "worker", "worker": "worker", "staff": "superuser"}
    return plain.get(gate) or ("owner" if gate in (*RANKS, "mine") else gate.split("|")[0])


def test_no_form_of_a_page_changes_what_it_does_not_show(world: World) -> None:
    """Every field of every table beside what a form asks for: nobody becomes staff or owner, and no price changes."""
    before, wrong = {name: rows(sql) for name, sql in GUARDED.items()}, []
    bound = dict.fromkeys(model_fields() - {"email", "next"}, "1") | {"role": "owner", "form_key": "k" * 20}
    for page in pages():
        gates = gates_of(line_of(page.path) or "GET anybody")
        for method in set(gates) & {"POST"}:
            with undone():
                client = world.client(allowed(gates[method]))
                answer = client.post(world.path(page), bound)
                if answer.status_code >= 500:
                    wrong.append(f"{page.path}: {answer.status_code}")
                changed = {name for name, sql in GUARDED.items() if rows(sql) != before[name]}
                wrong += [f"{page.path}: {name}" for name in changed - {MEANT.get(page.path)}]
    assert wrong == [], "\n".join(wrong)


def test_no_page_is_filtered_but_by_its_own_parameters(world: World) -> None:
    wrong = []
    for page in pages():
        gate = gates_of(line_of(page.path) or "GET anybody").get("GET")
        if gate is None:
            continue
        path, person = world.path(page), allowed(gate)
        # Whoever comes first may find less in the caches.
        _first, (_plainly, statements) = _page(world, person, path), _page(world, person, path)
        # All at once: what is looked at shows among them too.
        answer, asked = _page(world, person, f"{path}?{'&'.join(TRICKS)}")
        if heard(answer).startswith("broken"):
            wrong.append(f"{path}: {answer.status_code}")
        elif asked != statements and answer.status_code not in (400, 404):
            looked_at = [trick for trick in TRICKS if _page(world, person, f"{path}?{trick}")[1] != statements]
            wrong.append(f"{path}: other statements than without {looked_at}: {set(asked) ^ set(statements)}")
    assert wrong == [], "\n".join(wrong)


def _page(world: World, person: str, address: str) -> tuple[Any, list[str]]:
    with undone(), CaptureQueriesContext(connection) as queries:
        answer = world.client(person).get(address)
    return answer, [CURSOR.sub("?", VALUES.sub("?", query["sql"])) for query in queries]
