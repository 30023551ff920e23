"""Records: each role looks up its tables and no other, sees no secret, changes nothing, and leaves a trace."""

import re
from collections.abc import Iterable
from html import escape, unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from marketplace.accounts.models import Act, ApiKey, Member, Requester, StaffRole, User
from marketplace.backoffice.records import Record, records
from marketplace.backoffice.records.site import GROUPS, SHOWN
from marketplace.common import database
from marketplace.payouts.models import Destination
from marketplace.webhooks.models import Subscription
from tests import factories as make
from tests.acts import in_one
from tests.api.market import Market, make_answer, make_webhook
from tests.staff.desk import desk, make_staff, told
from tests.staff.record_rows import MAKING, Told, rows_of
from tests.web.visitors import client_of, text_of
from workers.assignments.models import Assignment

pytestmark = pytest.mark.django_db
# Loads every view: on a busy machine that takes longer than a test's transaction may sit idle.
reverse("staff_records")

ALL = {one.slug: one for one in records.all()}
HERE = "/staff/records/"
SUPPORT, QUALITY, FINANCE = (frozenset({role, "superuser"}) for role in ("support", "quality", "finance"))
JUDGES, PEOPLE = SUPPORT | QUALITY, SUPPORT | QUALITY | FINANCE
# Written down once more, so that a table is given to no further role by a slip.
WHO: dict[str, Iterable[str]] = {
    **dict.fromkeys(["accounts", "members", "invitations", "keys", "sessions", "webhooks", "deliveries"], SUPPORT),
    **dict.fromkeys(["sanctions", "appeals", "tasks", "imports", "assignments", "holds"], JUDGES),
    **dict.fromkeys(
        ["workers", "organisations", "projects", "versions", "batches", "datasets", "dataset-links"], PEOPLE
    ),
    **dict.fromkeys(
        ["places", "transfers", "deposits", "invoices", "destinations", "runs", "payouts", "bonuses", "log"], FINANCE
    ),
    **dict.fromkeys(["outbox", "readers", "streams", "skipped", "letters"], frozenset({"superuser"})),
}
# What a column must be called for this test to think that it holds a secret.
SECRETS = {
    "password", "digest", "token_key", "code_hash", "session_key", "data", "token", "lease", "secret",
    "previous_secret", "details", "shown", "fingerprint", "url", "principal", "key", "errors", "header", "mapping",
    "body",
}  # fmt: skip
# Which of those names are something else where they are shown.
HARMLESS = {("transfers", "key"), ("tasks", "data")}


@pytest.fixture
def rows(market: Market) -> Told:
    return rows_of(market)


def at(record: Record, handle: Any = None) -> str:
    return f"{HERE}{record.slug}/" if handle is None else f"{HERE}{record.slug}/{handle}/"


def searches(client: Client, record: str, text: Any, **filters: str) -> str:
    page = client.get(f"{HERE}{record}/", {"q": str(text), **filters})
    assert page.status_code == 200
    return text_of(page)


# --- who sees what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", StaffRole.values)
def test_each_role_sees_its_records_and_no_other(rows: Told, role: str) -> None:
    client = desk(role)
    index = client.get(HERE).content.decode()
    for slug, record in ALL.items():
        seen = role in WHO[slug]
        assert (f'href="{at(record)}"' in index) == seen, slug
        for path in (at(record), at(record, rows[record.thing])):
            page = client.get(path)
            assert page.status_code == (200 if seen else 403), path
            assert not seen or "no-store" in page["Cache-Control"]


def test_nobody_is_linked_to_a_record_that_he_may_not_see(rows: Told) -> None:
    linked = 0
    for role in ("support", "quality", "finance"):
        client = desk(role)
        refused = [f'href="{at(record)}' for slug, record in ALL.items() if role not in WHO[slug]]
        for slug, record in ALL.items():
            if role in WHO[slug]:
                page = client.get(at(record, rows[record.thing])).content.decode()
                assert [one for one in refused if one in page] == [], (role, slug)
                linked += page.count(f'href="{HERE}')
    assert linked > 150


def test_to_others_there_is_nothing_and_staff_show_a_code_first(rows: Told, market: Market) -> None:
    for path in (HERE, at(ALL["workers"]), at(ALL["workers"], rows["worker"])):
        assert client_of(market.worker.user).get(path).status_code == 404
        assert Client().get(path).url == f"/accounts/login/?next={path}"
        without = client_of(make_staff()).get(path)
        assert without.status_code == 403 and "code" in text_of(without)
    assert told("person.viewed") == []


def test_every_record_is_in_the_list_above_and_on_a_shelf() -> None:
    assert set(WHO) == set(ALL)
    assert {one.group for one in ALL.values()} == set(GROUPS)
    assert {one.thing for one in ALL.values()} == set(MAKING)
    assert records.check(None) == []


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_nothing_but_reading_is_served(rows: Told, method: str) -> None:
    client, before = desk(), Act.objects.count()
    for record in ALL.values():
        for path in (at(record), at(record, rows[record.thing])):
            before = max(before, Act.objects.count())
            assert getattr(client, method)(path).status_code == 405, path
            assert Act.objects.count() == before
    request = HttpRequest()
    request.roles = {"superuser"}  # type: ignore[attr-defined]
    for record in ALL.values():
        may = (record.has_add_permission, record.has_change_permission, record.has_delete_permission)
        assert [one(request) for one in may] == [False] * 3 and record.has_view_permission(request)
        assert record.get_actions(request) == {}
    for path in ("workers/add/", "workers/1/change/", "workers/1/delete/", "jsi18n/", "login/", "autocomplete/"):
        assert client.get(HERE + path).status_code == 404


# --- what is shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", ALL)
def test_every_column_is_either_shown_or_withheld(slug: str) -> None:
    """A new column fails here until somebody says which."""
    record = ALL[slug]
    tables: list[tuple[Any, set[str], set[str]]] = [
        (record.model, {*record.fields}, {*record.withheld}),
        *((part.model, {*part.columns}, {*part.withheld}) for part in record.parts),
    ]
    for model, shown, withheld in tables:
        columns = {field.name for field in model._meta.concrete_fields}
        assert shown & withheld == set() and columns - shown - withheld == set(), model
        assert withheld <= columns and all(name in columns or callable(getattr(record, name)) for name in shown), model
    assert {*record.list_display} <= {*record.fields}
    names = {*record.list_display, *record.fields, *(name for part in record.parts for name in part.columns)}
    assert {name for name in names & SECRETS if (slug, name) not in HARMLESS} == set()
    assert {str(name).lstrip("^").rpartition("__")[2] for name in record.search_fields} & SECRETS <= {"key"}


def test_no_secret_is_in_any_page_and_none_is_read_from_a_table(rows: Told, market: Market) -> None:
    client = desk()
    handles = {slug: rows[record.thing] for slug, record in ALL.items()}
    answer = Assignment.objects.get(public_id=handles["assignments"])
    webhook = Subscription.objects.latest("pk")
    Subscription.objects.filter(pk=webhook.pk).update(
        url="https://hooks.example.org/in/secret-in-address?k=in-the-query"
    )
    secret_texts = [
        *(User.objects.exclude(password="").values_list("password", flat=True)),
        *(text for row in ApiKey.objects.values_list("digest", "token_key") for text in row),
        *(row.hex() for row in Destination.objects.values_list("fingerprint", flat=True)),
        *Destination.objects.values_list("shown", flat=True),
        *(bytes(one).hex() for one in Subscription.objects.values_list("secret", flat=True)),
        str(answer.token), "secret-in-address", "in-the-query", "session-data",
    ]  # fmt: skip
    with connection.cursor() as cursor:
        for column in ("usersessions_usersession.session_key", "mfa_authenticator.data", "results_datasetlink.digest",
                       "accounts_memberinvitation.code_hash", "payouts_destination.details"):  # fmt: skip
            table, name = column.split(".")
            cursor.execute(f"SELECT encode(convert_to({name}::text, 'UTF8'), 'escape') FROM {table}")
            secret_texts += [row[0].removeprefix("\\\\x").strip("{}") for row in cursor.fetchall()]
    assert len(secret_texts) > 20 and all(len(one) > 4 for one in secret_texts), secret_texts
    with CaptureQueriesContext(connection) as queries:
        pages = [client.get(path) for slug, one in ALL.items() for path in (at(one), at(one, handles[slug]))]
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        assert [one for one in secret_texts if one in text] == [], page.request["PATH_INFO"]
    read = " ".join(query["sql"] for query in queries)
    for column in (
        '"webhooks_subscription"."secret"', '"assignments_assignment"."token"', '"payouts_destination"."details"',
        '"payouts_destination"."fingerprint"', '"payouts_destination"."shown"', '"usersessions_usersession"."data"',
        '"accounts_memberinvitation"."code_hash"', '"accounts_apikey"."token_key"', '"results_datasetlink"."digest"',
        '"common_outbox"."body"', ' "gold_', "reputation_outcome", "batches_goldkey", "accounts_ticket",
    ):  # fmt: skip
        assert column not in read, column


def test_no_column_but_those_offered_can_be_asked_for(market: Market) -> None:
    """Django's own lists take any: letter by letter that tells what a digest is."""
    client = desk()
    for slug, query in {
        "accounts": "password__startswith=md5", "keys": "digest__startswith=a", "webhooks": "secret__isnull=False",
        "workers": "user__password__startswith=a", "payouts": "destination__details__isnull=0", "log": "id__gt=0",
        "sessions": "session_key__startswith=a",
    }.items():  # fmt: skip
        assert client.get(f"{HERE}{slug}/?{query}").status_code == 400, query
    odd = client.get(f"{HERE}assignments/?state=stolen")
    assert odd.status_code == 422 and "no such filter" in text_of(odd)
    order = client.get(f"{HERE}workers/?o=1&p=7&all=&_popup=1")
    assert order.status_code == 200 and str(market.worker.public_id) in text_of(order)


def test_what_people_wrote_is_text_and_is_cut(market: Market) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    Requester.objects.filter(pk=market.requester.pk).update(name=evil)
    User.objects.filter(pk=market.worker.user.pk).update(name=evil)
    answer = Assignment.objects.get(public_id=make_answer(market, market.other_worker))
    long = evil + "x" * 20_000
    in_one(make.reject, batch=answer.batch, assignments=[answer.public_id], comment=long[:1_000])
    client = desk()
    for path in (
        at(ALL["organisations"]), at(ALL["organisations"], market.requester.public_id), at(ALL["batches"]),
        at(ALL["accounts"], market.worker.user.public_id), at(ALL["assignments"], answer.public_id),
    ):  # fmt: skip
        page = client.get(path).content.decode()
        assert "<script>alert" not in page and "<img" not in page
        assert escape("<script>alert(1)") in page, path
    project = make.make_project(market.requester, instructions=long)
    page = client.get(at(ALL["versions"], project.versions.get().pk))
    assert "more characters" in text_of(page) and len(page.content) < 60_000


# --- what is found -----------------------------------------------------------------------------------------------


def test_people_and_things_are_found_by_what_names_them_whole(market: Market, rows: Told) -> None:
    client = desk()
    worker, other = str(market.worker.public_id), str(market.other_worker.public_id)
    answer = str(rows["assignment"])
    assert worker in searches(client, "workers", worker) and other not in searches(client, "workers", worker)
    assert worker in searches(client, "workers", market.worker.user.public_id)
    assert answer in searches(client, "assignments", other)
    assert answer in searches(client, "assignments", other, state="submitted")
    assert answer not in searches(client, "assignments", other, state="leased")
    assert "Nothing found" in searches(client, "assignments", worker)
    email = User.objects.get(pk=market.worker.user.pk).email
    assert worker not in searches(client, "accounts", email[:-3]) and email in searches(client, "accounts", email[:-3])
    assert "Nothing found" in searches(client, "accounts", email[:2])
    assert str(rows["payout"]) in searches(client, "payouts", market.payout.provider_key, state="requested")
    for nothing in (uuid4(), "1e9", "9" * 40, "x" * 300, "%", "'"):
        assert "Nothing found" in searches(client, "payouts", nothing)
    assert client.get(f"{HERE}payouts/?q=%00").status_code == 200
    for odd in ("%00", "9" * 40, "-1", "none", str(uuid4())):
        for slug in ("workers", "transfers", "streams", "readers"):
            assert client.get(f"{HERE}{slug}/{odd}/").status_code == 404, (slug, odd)


def test_a_record_leads_to_the_lists_of_what_belongs_to_it(market: Market, rows: Told) -> None:
    client, worker = desk("quality"), market.other_worker.public_id
    page = client.get(at(ALL["workers"], worker)).content.decode()
    assert f'href="{HERE}assignments/?q={worker}"' in page and f'href="/staff/people/workers/{worker}/"' in page
    assert f"{HERE}payouts/" not in page
    account = desk("finance").get(at(ALL["workers"], worker)).content.decode()
    assert f'href="{HERE}bonuses/?q={worker}"' in account and f"{HERE}accounts/" not in account


def test_a_transfer_shows_its_postings_and_an_assignment_its_answers(market: Market, rows: Told) -> None:
    client = desk()
    transfer = text_of(client.get(at(ALL["transfers"], rows["transfer"])))
    assert "Balance after" in transfer and f"requester:{market.requester.public_id}:funds" in transfer
    answer = text_of(client.get(at(ALL["assignments"], rows["assignment"])))
    assert '"label": "cat"' in answer and "token" not in answer.lower()


# --- what it costs -----------------------------------------------------------------------------------------------


def statements(client: Client, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in queries]


def test_a_page_of_fifty_costs_as_much_as_a_page_of_one_and_counts_nothing(rows: Told) -> None:
    """Of every record as many rows as there are, at once: whatever a row points to comes with it."""
    client = desk()
    for record in ALL.values():
        assert rows[record.thing]
    client.get(HERE)
    for record in ALL.values():
        asked = statements(client, at(record))
        assert [sql for sql in asked if "COUNT(" in sql.upper() or " OFFSET " in sql] == [], record.slug
        lists = [sql for sql in asked if f'FROM "{record.opts.db_table}"' in sql and " LIMIT " in sql]
        assert any(f"LIMIT {SHOWN + 1}" in sql for sql in lists), record.slug
        assert len(asked) <= 24, (record.slug, len(asked), asked)
        assert len(statements(client, at(record, rows[record.thing]))) <= 32, record.slug


def test_fifty_members_and_answers_need_no_more_statements_than_one(market: Market) -> None:
    client = desk()
    make_answer(market, market.worker)
    few = {slug: len(statements(client, f"{HERE}{slug}/")) for slug in ("members", "assignments", "accounts")}
    Member.objects.bulk_create(
        Member(requester=market.requester, user=user, role="viewer") for user in [make.make_user() for _ in range(60)]
    )
    batch = make.make_batch(55, project=market.project, overlap=1, lease_cap=100)
    make.answer(market.worker, make.take(market.worker, batch, 55))
    for slug, number in few.items():
        page = client.get(f"{HERE}{slug}/")
        assert page.content.decode().count('<th scope="row">') == SHOWN
        assert len(statements(client, f"{HERE}{slug}/")) == number, slug


def test_pages_go_by_the_place_of_the_last_row_and_show_each_once(market: Market) -> None:
    for user in [make.make_user() for _ in range(110)]:
        Member.objects.create(requester=market.requester, user=user, role="viewer")
    ids = [str(pk) for pk in Member.objects.order_by("-pk").values_list("pk", flat=True)]
    client, seen, address = desk(), [], "?role=viewer"
    while address:
        page = client.get(f"{HERE}members/{address}").content.decode()
        seen += [part.split("/")[0] for part in page.split(f'href="{HERE}members/')[1:] if part[0].isdigit()]
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = unescape(following[1]) if following else ""
    viewers = set(map(str, Member.objects.filter(role="viewer").values_list("pk", flat=True)))
    assert seen == [one for one in ids if one in viewers] and len(seen) > 2 * SHOWN
    assert client.get(f"{HERE}members/?after=broken").status_code == 200


def test_what_takes_too_long_is_given_up_in_words(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    client = desk()
    slow = ALL["workers"].get_queryset(HttpRequest()).extra(where=["pg_sleep(9) IS NOT NULL"])
    monkeypatch.setattr(ALL["workers"], "get_queryset", lambda request: slow)
    monkeypatch.setattr("marketplace.backoffice.records.site.LOOK_S", 1)
    page = client.get(at(ALL["workers"]))
    assert page.status_code == 422 and "too long" in text_of(page)
    assert database.value("SELECT 1") == 1


# --- what is written down ----------------------------------------------------------------------------------------


def test_opening_a_record_leaves_one_row_in_the_log(rows: Told) -> None:
    client = desk()
    handles = {slug: rows[record.thing] for slug, record in ALL.items()}
    for slug, record in ALL.items():
        before = len(told("person.viewed"))
        assert client.get(at(record, handles[slug])).status_code == 200
        looks = told("person.viewed")
        assert len(looks) == before + 1, slug
        assert (looks[-1].subject, looks[-1].subject_id) == (record.thing, str(handles[slug]))
        assert looks[-1].actor is not None and looks[-1].via == "page"


def test_a_list_that_tells_of_people_leaves_a_row_and_says_not_for_whom(market: Market, rows: Told) -> None:
    client, searched = desk(), 0
    for slug, record in ALL.items():
        assert rows[record.thing]
        assert client.get(at(record)).status_code == 200
        searched += record.personal
        assert len(told("person.searched")) == searched, slug
    email = User.objects.get(pk=market.worker.user.pk).email
    searches(client, "accounts", email)
    row = told("person.searched")[-1]
    assert (row.subject, row.after) == ("people", {"found": 1}) and email not in str(vars(row))
    looked = len(told("person.searched"))
    searches(client, "accounts", "nobody@nowhere.example")
    assert len(told("person.searched")) == looked and told("person.viewed") == []


def test_what_is_not_there_leaves_no_row(market: Market) -> None:
    client = desk()
    assert client.get(at(ALL["workers"], uuid4())).status_code == 404
    assert desk("quality").get(at(ALL["payouts"], market.payout.public_id)).status_code == 403
    assert told("person.viewed") == [] == told("person.searched")


def test_records_are_linked_in_the_navigation_of_staff(market: Market) -> None:
    for role in StaffRole.values:
        assert f'href="{HERE}"' in desk(role).get("/staff/").content.decode()
    page = desk().get(at(ALL["workers"])).content.decode()
    assert page.count('aria-current="page"') == 1


def test_a_webhook_is_shown_by_its_host(market: Market) -> None:
    webhook, _delivery = make_webhook(market)
    page = text_of(desk("support").get(at(ALL["webhooks"], webhook.public_id)))
    assert "hooks.example.org" in page and "/in" not in page
