"""The board as a page: what it shows of each batch, in which order, of what was asked for, and what it costs."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.commands.sanctions import impose
from marketplace.batches.commands.lifecycle import pause_batch
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import in_one
from tests.web.visitors import client_of, text_of, visitor
from workers.assignments.commands.decide import accept_answers
from workers.profiles.models import Worker
from workers.web import boards

pytestmark = pytest.mark.django_db
Clock = Callable[[timedelta], None]
RATING = {"data": [{"name": "text", "type": "text"}], "answer": [{"name": "label", "type": "rating"}]}


def names_on(response: Any) -> list[str]:
    """The batches of a page from top to bottom."""
    assert response.status_code == 200, response.content
    return re.findall(r'<h2><a class="whole"[^>]*>([^<]*)</a>', response.content.decode())


def card_of(response: Any, batch: Batch) -> str:
    page = response.content.decode()
    found = re.search(rf'<li [^>]*id="b-{batch.public_id}".*?</li>', page, re.DOTALL)
    assert found, "the batch is not on the page"
    return found[0]


def measured(batch: Batch, seconds: int, clock: Clock) -> None:
    """Six answers were accepted, each of which took so long."""
    worker = make.make_worker()
    for _ in range(6):
        leases = make.take(worker, batch)
        clock(timedelta(seconds=seconds))
        make.answer(worker, leases)
    in_one(accept_answers, batch_id=batch.pk, assignments=None)


def cost(client: Client, address: str) -> tuple[int, str]:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return len(asked), "\n".join(one["sql"] for one in asked.captured_queries)


def test_a_card_says_what_work_pays_takes_and_how_much_is_left(clock: Clock) -> None:
    client, _worker = visitor()
    batch = make.make_batch(tasks=20, overlap=1, name="Pets", time_limit_s=120)
    fresh = make.make_batch(tasks=4, overlap=3, name="New one")
    measured(batch, 36, clock)
    page = client.get("/work/")
    known, unknown = text_of(card_of(page, batch)), text_of(card_of(page, fresh))
    assert "Pets" in known and "Acme Labels" in known
    hourly = re.search(r"([\d.]+) EUR an hour", known)
    # Twenty thousand each, a hundred of them an hour; the clock of the test runs on a little.
    assert hourly and float(hourly[1]) == pytest.approx(2.0, rel=0.05)
    assert re.search(r"half of the answers: \d\.\d\d – \d\.\d\d", known)
    assert "A task pays 0.02 EUR" in known
    assert re.search(r"Takes 3[67] s of 2 min", known)
    assert "Left 14" in known
    assert "has rejected nothing" in known
    assert "Not measured yet" in unknown and "Left 12" in unknown and "decided nothing yet" in unknown
    assert "Choose labels" in known


def test_strangers_sign_in_and_those_who_are_no_workers_become_one() -> None:
    assert Client().get("/work/").url.startswith("/accounts/login/?next=/work/")
    assert client_of(make.make_user()).get("/work/?q=cats").url == "/work/start/?next=%2Fwork%2F%3Fq%3Dcats"


def test_a_board_without_work_says_so_and_one_without_what_was_asked_shows_all() -> None:
    client, _worker = visitor()
    assert "No work just now" in text_of(client.get("/work/"))
    make.make_batch(name="Pets")
    page = client.get("/work/?q=plants")
    assert names_on(page) == []
    assert "Nothing like this just now" in text_of(page)
    assert 'href="/work/"' in page.content.decode()


def test_what_is_closed_comes_last_with_its_reason_and_what_would_open_it() -> None:
    client, worker = visitor()
    asks = {
        "German": ({"languages": {"any": ["de"]}}, "It asks for the language de.", "/work/profile/"),
        "Gore": ({"content": {"agrees": ["violence"]}}, "consent to be shown violence", "/work/profile/"),
        "Phones": ({"device": {"in": ["phone"]}}, "It asks for a phone. Open it on such a device.", ""),
    }
    made = {name: make.make_batch(name=name, audience=asked) for name, (asked, _, _) in asks.items()}
    mine = make.make_batch(name="Mine")
    mine.requester.members.create(user=worker.user, role="viewer")
    make.make_batch(name="For all", price_micros=1_000)
    page = client.get("/work/")
    assert names_on(page)[0] == "For all"
    for name, (_, words, to) in asks.items():
        card = card_of(page, made[name])
        assert words in text_of(card)
        assert not to or f'href="{to}"' in card
    assert "Nobody works on a batch of his own organisation." in card_of(page, mine)
    assert names_on(client.get("/work/?open=on")) == ["For all"]
    Worker.objects.filter(pk=worker.pk).update(languages=["de-AT"], content=["violence"])
    assert set(names_on(client.get("/work/?open=on"))) == {"For all", "German", "Gore"}


def test_a_head_start_says_when_it_ends_and_a_sanction_until_when() -> None:
    client, worker = visitor()
    make.make_batch(head_start_s=7_200)
    assert re.search(r"Opens to you in \d+ minutes", text_of(client.get("/work/")))
    with one_transaction(principal="test"):
        impose(
            user_id=worker.user_id, scope="platform", scope_id=None, measure="limit", reason="low_accuracy",
            words="Too many of your answers were wrong.", evidence={"gold_accuracy": 0.4},
            life=timedelta(hours=24), pace_s=None, made_by=make.make_user().pk,
        )  # fmt: skip
    assert "Too many of your answers were wrong. It is closed to you until" in text_of(client.get("/work/"))


def test_what_is_asked_for_is_shown_and_nothing_else(clock: Clock) -> None:
    client, _worker = visitor(languages=["de"], content=["hate"])
    quick = make.make_batch(tasks=20, overlap=1, name="Quick pets")
    slow = make.make_batch(tasks=20, overlap=1, name="Slow pets")
    measured(quick, 36, clock)
    measured(slow, 360, clock)
    make.make_batch(name="Stars", project=make.make_project(interface=RATING), price_micros=50_000)
    make.make_batch(name="Wörter", audience={"languages": {"any": ["de"]}}, price_micros=90_000)
    make.make_batch(name="Slurs", audience={"content": {"agrees": ["hate"]}}, price_micros=10_000)
    in_one(pause_batch, batch_id=make.make_batch(name="Paused").pk)

    def shown(query: str) -> set[str]:
        return set(names_on(client.get(f"/work/?{query}")))

    every = {"Quick pets", "Slow pets", "Stars", "Wörter", "Slurs"}
    assert shown("") == every
    assert shown("q=PETS quick") == {"Quick pets"}
    assert shown("q=acme") == every
    assert shown("answers=rating") == {"Stars"}
    assert shown("least=1") == {"Quick pets"}
    assert shown("least=0.1") == {"Quick pets", "Slow pets"}
    assert shown("most=60&q=pets") == {"Quick pets"}
    assert shown("language=de") == {"Wörter"}
    assert shown("calm=on") == every - {"Slurs"}
    assert shown("answers=nothing") == set()


def test_the_order_is_the_one_asked_for(clock: Clock) -> None:
    client, _worker = visitor()
    slow = make.make_batch(tasks=20, overlap=1, name="Slow", price_micros=60_000)
    measured(slow, 360, clock)
    quick = make.make_batch(tasks=30, overlap=1, name="Quick", price_micros=10_000)
    measured(quick, 5, clock)
    make.make_batch(tasks=2, overlap=1, name="Unknown", price_micros=30_000, time_limit_s=600)
    orders = {
        "": ["Quick", "Slow", "Unknown"],
        "price": ["Slow", "Unknown", "Quick"],
        "newest": ["Unknown", "Quick", "Slow"],
        "shortest": ["Quick", "Slow", "Unknown"],
        "places": ["Quick", "Slow", "Unknown"],
    }
    for sort, order in orders.items():
        assert names_on(client.get(f"/work/?sort={sort}")) == order, sort


@pytest.mark.parametrize(
    "query", ["least=a lot", "most=9e99", "sort=worst", "page=-1", "page=x", "least=-1", "q=" + "x" * 500]
)
def test_what_makes_no_sense_asks_for_nothing(query: str) -> None:
    client, _worker = visitor()
    make.make_batch(name="Pets")
    page = client.get(f"/work/?{query}")
    assert names_on(page) == ["Pets"]
    if query == "least=a lot":
        assert "Enter a number." in text_of(page) and 'value="a lot"' in page.content.decode()


def test_what_one_holds_is_on_top_with_what_came_back() -> None:
    client, worker = visitor()
    batch = make.make_batch(tasks=6, overlap=1, name="Pets")
    assert "Go on where you left off" not in text_of(client.get("/work/"))
    held = make.take(worker, batch, 3)
    make.answer(worker, held[:1])
    make.send_back(batch, held[:1], "Look at the ears.")
    make.take(make.make_worker(), batch, 1)
    page = text_of(client.get("/work/"))
    assert "Go on where you left off Pets Acme Labels · 3 tasks in your hands" in page
    assert "1 to repair" in page and "Look at the ears." in page
    assert "Go on where you left off" not in text_of(visitor()[0].get("/work/"))


def test_a_script_gets_the_part_that_changes_and_nobody_keeps_either() -> None:
    client, _worker = visitor()
    make.make_batch(name="Pets")
    part = client.get("/work/", headers={"HX-Request": "true"})
    assert names_on(part) == ["Pets"]
    assert "<html" not in part.content.decode()
    assert "no-store" in part["Cache-Control"]


def test_many_batches_come_in_pages_that_keep_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "PAGE", 2)
    client, _worker = visitor()
    project = make.make_project()
    for number in range(5):
        make.make_batch(tasks=1, project=project, name=f"Pets {number}", price_micros=10_000 * (number + 1))
    first = client.get("/work/?q=pets")
    assert names_on(first) == ["Pets 4", "Pets 3"]
    assert 'href="?q=pets&amp;page=2" rel="next"' in first.content.decode()
    assert names_on(client.get("/work/?q=pets&page=3")) == ["Pets 0"]
    assert names_on(client.get("/work/?q=pets&page=99")) == ["Pets 0"]


def test_fifty_batches_take_as_many_statements_as_five_and_none_of_them_asks_for_gold() -> None:
    client, worker = visitor()
    project = make.make_project()
    audiences: list[dict[str, Any]] = [{}, {"country": {"in": ["DE"]}}, {"score": {"min": 0.9}}]

    def more(count: int) -> None:
        for number in range(count):
            # Of another requester now and then, and with gold as well as without.
            where = project if number % 5 else None
            make.make_batch(tasks=2, gold=number % 2, project=where, audience=audiences[number % 3])

    more(5)
    make.take(worker, Batch.objects.order_by("pk")[0])
    client.get("/work/")
    few, _ = cost(client, "/work/")
    more(45)
    many, statements = cost(client, "/work/")
    assert many == few <= 20
    for hidden in ("goldkey", "verdict", "gold_reader", "gold_toaudit", "reputation_outcome"):
        assert hidden not in statements
