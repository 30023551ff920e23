"""A batch while it runs: what a member sees, what is behind each figure, and what nobody is shown."""

import csv
import re
from io import StringIO
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from marketplace.accounts.models import Act
from marketplace.batches.commands.lifecycle import close_batch, pause_batch
from marketplace.common.database import run, value
from marketplace.results.models import Figures
from marketplace.results.queries.figures import kept_figures
from marketplace.results.tasks import make_figures
from marketplace.web.watching import strength_of
from tests import factories as make
from tests.acts import in_one
from tests.console.watched import NO_GOLD, Watched, give, make_watched, number_of
from tests.web.visitors import client_of, text_of
from workers.assignments.commands.submit import Submission, submit
from workers.gold.commands import score_due
from workers.profiles.commands import pseudonyms

pytestmark = pytest.mark.django_db
PAGES = ("", "workers/", "answers/", "tasks/", "task/?id=t1", "reports/")


@pytest.fixture
def watched() -> Watched:
    return make_watched(8)


@pytest.fixture
def viewer(watched: Watched) -> Client:
    return client_of(watched.people["viewer"])


def get(client: Client, path: str) -> Any:
    reply = client.get(path)
    assert reply.status_code == 200, (path, reply.status_code, reply.content[:500])
    return reply


def links(reply: Any, part: str) -> list[str]:
    return [
        address.replace("&amp;", "&") for address in re.findall(rf'href="([^"]*{part}[^"]*)"', reply.content.decode())
    ]


def figure(reply: Any, name: str) -> str:
    found = re.search(rf'data-figure="{name}"[^>]*>([^<]*)<', reply.content.decode())
    assert found, name
    return found[1].strip()


def test_the_page_says_where_the_batch_stands(watched: Watched, viewer: Client) -> None:
    page = get(viewer, watched.path)

    assert [figure(page, name) for name in ("answered", "places", "submitted", "accepted", "places_left")] == [
        "24", "32", "24", "0", "8",
    ]  # fmt: skip
    words = text_of(page)
    assert "Held for the rest 0.704 EUR" in words
    kept = kept_figures(watched.batch)
    assert kept is not None
    [field] = kept.look.fields
    strength, _tone = strength_of(field.agreement)
    alpha = field.agreement.figures["krippendorff"]
    assert f"How far workers agree {strength}" in words
    assert f"Krippendorff's alpha {alpha.low:.2f} to {alpha.high:.2f} {alpha.value:.2f}" in words
    assert "Worked out just now" in words
    assert "style=" not in page.content.decode() and "<script>" not in page.content.decode()


def test_places_that_are_closed_are_named_so_that_the_parts_add_up(watched: Watched, viewer: Client) -> None:
    assert "data-closed hidden" in get(viewer, watched.path).content.decode()
    assert len(re.findall(r"/task/\?id=", get(viewer, f"{watched.path}tasks/?show=open").content.decode())) == 8
    in_one(close_batch, batch_id=watched.batch.pk)

    page = get(viewer, watched.path)

    assert [figure(page, name) for name in ("submitted", "accepted", "leased", "places_left", "places_closed")] == [
        "24", "0", "0", "0", "8",
    ]  # fmt: skip
    assert figure(page, "forecast") == "Closed"
    [closed] = links(page, "show=closed")
    assert len(re.findall(r"/task/\?id=", get(viewer, closed).content.decode())) == 8
    assert "/task/?id=" not in get(viewer, f"{watched.path}tasks/?show=open").content.decode()


def test_each_chart_has_its_table_and_its_file(watched: Watched, viewer: Client) -> None:
    page = get(viewer, watched.path)
    markup = page.content.decode()
    files = links(page, "/figures.csv")

    assert {address.partition("?table=")[2] for address in files} == {
        "money", "throughput", "agreement-label", "labels-label", "confusion-label", "hardest", "reports", "workers",
    }  # fmt: skip
    assert markup.count("The same as a table") == 6
    for address in files:
        reply = viewer.get(address)
        assert reply.status_code == 200 and reply["Content-Type"] == "text/csv; charset=utf-8"
        lines = list(csv.reader(StringIO(reply.content.decode())))
        assert len(lines) > 1 and len({len(line) for line in lines}) == 1, address
    assert viewer.get(f"{watched.path}figures.csv?table=gold").status_code == 404
    # Whoever takes one home is in the log, and for what is not there nobody is.
    told = Act.objects.filter(act="export.figures", subject_id=str(watched.batch.public_id))
    assert [row.after["table"] for row in told.order_by("pk")] == [
        address.partition("?table=")[2].partition("-")[0] for address in files
    ]


def test_the_file_of_a_chart_says_what_the_chart_does(watched: Watched, viewer: Client) -> None:
    reply = viewer.get(f"{watched.path}figures.csv?table=confusion-label")
    lines = list(csv.DictReader(StringIO(reply.content.decode())))

    assert [(line["one"], line["other"], line["pairs"]) for line in lines] == [
        ("Cat", "Cat", "4"), ("Cat", "Dog", "6"), ("Dog", "Cat", "6"), ("Dog", "Dog", "12"),
    ]  # fmt: skip


def test_a_cell_of_the_confusion_matrix_leads_to_the_tasks_behind_it(watched: Watched, viewer: Client) -> None:
    [address] = [one for one in links(get(viewer, watched.path), "/tasks/") if "one=cat&other=dog" in one]

    page = get(viewer, address)

    assert re.findall(r"/task/\?id=(t\d)", page.content.decode()) == ["t2", "t4", "t6"]
    assert "One answer says label: Cat and another label: Dog" in text_of(page)


def test_a_bar_of_a_label_leads_to_the_answers_that_say_it(watched: Watched, viewer: Client) -> None:
    [address] = [one for one in links(get(viewer, watched.path), "/answers/") if "label=cat" in one]

    page = get(viewer, address)

    assert len(re.findall(r"#a-[0-9a-f-]{36}", page.content.decode())) == 8
    assert "Dog" not in text_of(page)


def test_a_step_of_time_leads_to_the_answers_that_came_in_it(watched: Watched, viewer: Client) -> None:
    steps = [one for one in links(get(viewer, watched.path), "/answers/") if "since=" in one]

    pages = [get(viewer, address).content.decode() for address in steps]

    assert sum(len(re.findall(r"#a-[0-9a-f-]{36}", page)) for page in pages) == 24
    assert "No such answer" in text_of(get(viewer, f"{watched.path}answers/?until=2020-01-01T00:00:00Z"))
    ends = ("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z")
    for odd in ("noon", "2020-01-01", "2020-13-45T00:00:00Z", *ends):
        assert "No such answer" not in text_of(get(viewer, f"{watched.path}answers/?since={odd}"))


def test_a_worker_leads_to_his_answers_and_they_to_their_tasks(watched: Watched, viewer: Client) -> None:
    name = watched.name_of(watched.workers[2])
    [address, *_others] = [one for one in links(get(viewer, f"{watched.path}workers/"), "/answers/") if name in one]

    page = get(viewer, address)

    tasks = links(page, "/task/")
    assert len(tasks) == 8
    task = text_of(get(viewer, tasks[0].partition("#")[0]))
    assert "Answers beside each other" in task and name in task


def test_one_task_shows_all_its_answers_beside_each_other(watched: Watched, viewer: Client) -> None:
    page = get(viewer, f"{watched.path}task/?id=t2")
    markup = page.content.decode()

    assert len(re.findall(r'id="a-[0-9a-f-]{36}"', markup)) == 3
    assert text_of(page).count("Dog") == 1
    assert "animal 2" in text_of(page)
    unclear = text_of(get(viewer, f"{watched.path}task/?id=t0"))
    assert "Says that it is unclear" in unclear
    for nothing in ("?id=t99", "?id=%00", f"?id={'x' * 201}"):
        assert viewer.get(f"{watched.path}task/{nothing}").status_code == 404
    assert viewer.get(f"{watched.path}task/")["Location"] == f"{watched.path}tasks/"


def test_what_is_rejected_is_withheld(watched: Watched, viewer: Client) -> None:
    lease = watched.batch.assignments.filter(worker=watched.workers[2], task__external_id="t1").get()
    in_one(make.reject, batch=watched.batch, assignments=[lease])

    page = get(viewer, f"{watched.path}task/?id=t1")

    assert "Withheld: a rejected answer is not paid" in text_of(page)
    assert f'"{lease.public_id}":' not in page.content.decode()
    assert "Withheld" in text_of(get(viewer, f"{watched.path}answers/?state=rejected"))


def test_reports_say_why_and_in_whose_words(watched: Watched, viewer: Client) -> None:
    words = text_of(get(viewer, f"{watched.path}reports/"))

    assert "Something is broken" in words and "The picture does not load." in words
    assert watched.name_of(watched.workers[3]) in words
    assert "The picture" not in text_of(get(viewer, f"{watched.path}reports/?reason=too_hard"))


def test_lists_go_on_page_after_page_and_lose_nothing(viewer: Client, watched: Watched) -> None:
    give(watched.workers[3], watched.batch, 7, lambda number: "cat")
    client, seen, address = viewer, [], f"{watched.path}answers/"
    while address:
        page = get(client, address)
        seen += re.findall(r"#a-([0-9a-f-]{36})", page.content.decode())
        following = re.findall(r'href="(\?[^"]*)" rel="next"', page.content.decode())
        address = f"{watched.path}answers/{following[0].replace('&amp;', '&')}" if following else ""

    assert len(seen) == len(set(seen)) == 31


def test_workers_are_sorted_as_one_wishes(watched: Watched, viewer: Client) -> None:
    def order(query: str) -> list[str]:
        markup = get(viewer, f"{watched.path}workers/{query}").content.decode()
        return re.findall(r'<th scope="row"><a class="code" href="[^"]*">([^<]+)<', markup)

    last = watched.name_of(watched.workers[2])
    assert order("?sort=unclear")[0] == last
    assert order("?sort=unclear&order=up")[-1] == last
    assert order("?sort=nonsense") == order("")
    assert 'aria-sort="ascending"' in get(viewer, f"{watched.path}workers/?sort=score&order=up").content.decode()


def test_two_organisations_cannot_line_up_the_same_workers_by_the_order_of_a_list() -> None:
    workers = [make.make_worker() for _ in range(9)]
    shown: dict[str, list[tuple[int, ...]]] = {}
    for _organisation in range(2):
        batch = make.make_batch(1, overlap=9, gold_policy=NO_GOLD)
        for worker in workers:
            give(worker, batch, 1, lambda number: "cat")
        make_figures(batch.pk)
        codes = in_one(pseudonyms, requester_id=batch.requester_id, worker_ids=[one.pk for one in workers])
        place = {codes[one.pk]: at for at, one in enumerate(workers)}
        client, path = client_of(make.owner_of(batch.requester)), f"/console/batches/{batch.public_id}/"
        for query in ("", "?sort=rejected", "?sort=rejected&order=up", "?sort=agreement"):
            markup = get(client, f"{path}workers/{query}").content.decode()
            found = re.findall(r'<th scope="row"><a class="code" href="[^"]*">([^<]+)<', markup)
            shown.setdefault(query, []).append(tuple(place[name] for name in found))
        told = csv.DictReader(StringIO(client.get(f"{path}figures.csv?table=workers").content.decode()))
        shown.setdefault("file", []).append(tuple(place[line["worker"]] for line in told))
        found = list(dict.fromkeys(links(get(client, path), r"/answers/\?worker=")))
        shown.setdefault("overview", []).append(tuple(place[one.rpartition("=")[2]] for one in found))

    accounts = tuple(range(9))
    for name, (first, second) in shown.items():
        assert len(set(first)) == len(first) == (8 if name == "overview" else 9), name
        assert first not in (accounts[: len(first)], accounts[::-1]) and tuple(sorted(first)) != first, name
        assert first not in (second, second[::-1]), name


def test_no_page_names_a_worker_but_by_the_organisations_own_name(watched: Watched) -> None:
    client = client_of(watched.people["owner"])
    said = "".join(get(client, f"{watched.path}{page}").content.decode() for page in (*PAGES, "gold/"))
    said += client.get(f"{watched.path}figures.csv?table=workers").content.decode()

    for worker in watched.workers:
        assert str(worker.public_id) not in said
        assert worker.user.email not in said and str(worker.user.public_id) not in said
        assert f'worker_id": {worker.pk}' not in said
        assert watched.name_of(worker) in said


def test_another_organisation_knows_the_same_worker_by_another_name(watched: Watched, viewer: Client) -> None:
    other = make.make_batch(4, overlap=2, lease_cap=10, gold_policy=NO_GOLD)
    worker = watched.workers[0]
    make.answer(worker, make.take(worker, other, 4))
    make_figures(other.pk)
    stranger = client_of(make.owner_of(other.requester))

    theirs = get(stranger, f"/console/batches/{other.public_id}/workers/").content.decode()

    assert watched.name_of(worker) not in theirs
    assert watched.name_of(worker) in get(viewer, f"{watched.path}workers/").content.decode()
    # A name of one organisation's finds nothing in another's.
    found = get(stranger, f"/console/batches/{other.public_id}/answers/?worker={watched.name_of(worker)}")
    assert "No such answer" in text_of(found)


def test_what_belongs_to_others_is_not_there(watched: Watched) -> None:
    stranger = client_of(make.owner_of(make.make_requester()))
    nowhere = "/console/batches/00000000-0000-4000-8000-000000000000/"
    for page in (*PAGES, "gold/", "places/", "pause/", "figures.csv?table=money"):
        assert stranger.get(f"{watched.path}{page}").status_code == 404, page
        assert stranger.get(f"{nowhere}{page}").status_code == 404, page
        assert Client().get(f"{watched.path}{page}").status_code == 302, page


def test_a_viewer_sees_no_acts_and_no_gold(watched: Watched, viewer: Client) -> None:
    page = get(viewer, watched.path)

    assert "<form" not in page.content.decode().partition("<main")[2]
    assert not [act for act in ("pause", "close", "cancel", "places") if f"/{act}/" in page.content.decode()]
    assert "Known answers" not in text_of(page)
    assert "Known answers right" not in text_of(get(viewer, f"{watched.path}workers/"))
    assert viewer.get(f"{watched.path}gold/").status_code == 403


def test_gold_is_for_reviewers_and_who_looks_is_written_down() -> None:
    watched = make_watched(4, 2, gold_policy={**NO_GOLD, "min_share": 0.4, "max_share": 0.5})
    reviewer = client_of(watched.people["reviewer"])

    page = text_of(get(reviewer, f"{watched.path}gold/"))

    assert "g0" in page and "g1" in page
    assert "Cat" in page and " cat " not in page, "a known answer is called as workers see it"
    assert value("SELECT count(*) FROM gold_look WHERE batch_id = %s", [watched.batch.pk]) == 1
    assert "Give it up" not in page, "that is for managers"
    assert "Give it up" in text_of(get(client_of(watched.people["manager"]), f"{watched.path}gold/"))


def test_reviewers_see_how_known_answers_fare_together_and_by_worker() -> None:
    watched = make_watched(4, 2, gold_policy={**NO_GOLD, "min_share": 0.4, "max_share": 0.5})
    worker = make.make_worker()
    leases = make.take(worker, watched.batch, 6)
    make.answer(worker, leases, "cat")
    in_one(score_due)
    known = sum("known" in lease.data["text"] for lease in leases)
    reviewer = client_of(watched.people["reviewer"])

    page = text_of(get(reviewer, watched.path))
    make_figures(watched.batch.pk)
    workers = text_of(get(reviewer, f"{watched.path}workers/"))

    assert known > 0
    assert re.search(r"\d+ of \d+ answered right: with 95 %", page)
    assert f"{known} / {known}" in workers
    gold = reviewer.get(f"{watched.path}figures.csv?table=gold")
    assert gold.content.decode().splitlines()[0] == "judged,right,share,low,high"
    [in_all] = csv.DictReader(StringIO(gold.content.decode()))
    assert f"{in_all['right']} of {in_all['judged']} answered right: with 95 %" in page
    keys = list(csv.DictReader(StringIO(reviewer.get(f"{watched.path}figures.csv?table=keys").content.decode())))
    assert [line["task"] for line in keys] == ["g0", "g1"]
    assert sum(int(line["judged"]) for line in keys) == int(in_all["judged"]) >= known
    assert Act.objects.filter(act="gold.viewed", actor=watched.people["reviewer"]).count() == 1
    viewer = client_of(watched.people["viewer"])
    assert {viewer.get(f"{watched.path}figures.csv?table={name}").status_code for name in ("gold", "keys")} == {404}


def test_before_figures_are_worked_out_the_page_says_so_and_asks_for_them() -> None:
    batch = make.make_batch(2)
    client = client_of(make.owner_of(batch.requester))

    page = get(client, f"/console/batches/{batch.public_id}/")

    assert "worked out for the first time" in text_of(page)
    assert 'id="figures" data-pending' in page.content.decode()
    assert Figures.objects.get(batch=batch).made_at is None


def test_a_paused_batch_says_why(watched: Watched, viewer: Client) -> None:
    in_one(pause_batch, batch_id=watched.batch.pk)

    assert "You paused this batch" in text_of(get(viewer, watched.path))


def test_a_draft_is_set_up_first() -> None:
    batch = make.make_draft()
    client = client_of(make.owner_of(batch.requester))
    for page in ("workers/", "answers/", "tasks/", "reports/", "gold/", "pause/", "places/", "figures.csv?table=money"):
        assert client.get(f"/console/batches/{batch.public_id}/{page}").status_code == 404, page
    try:
        setup = reverse("console_batch_setup", args=[batch.public_id])
    except NoReverseMatch:
        pytest.skip("set-up is not there yet")
    assert client.get(f"/console/batches/{batch.public_id}/")["Location"] == setup


def test_pages_ask_the_database_as_often_however_large_the_batch_is() -> None:
    def costs(tasks: int) -> dict[str, int]:
        watched = make_watched(tasks)
        client = client_of(watched.people["owner"])
        found = {}
        for page in (*PAGES, "gold/"):
            get(client, f"{watched.path}{page}")
            with CaptureQueriesContext(connection) as asked:
                get(client, f"{watched.path}{page}")
            found[page] = len(asked)
        return found

    small, large = costs(17), costs(167)

    # About fifty answers and five hundred.
    assert small == large
    assert small[""] <= 45, small
    assert max(count for page, count in small.items() if page) <= 25, small


def test_what_is_in_work_and_what_nobody_took_leads_to_those_tasks(watched: Watched, viewer: Client) -> None:
    [lease] = make.take(make.make_worker(), watched.batch, 1)
    held = f"t{number_of(lease)}"
    page = get(viewer, watched.path)

    def tasks_behind(part: str) -> list[str]:
        [address] = links(page, part)
        return re.findall(r"/task/\?id=(t\d+)", get(viewer, address).content.decode())

    assert tasks_behind("show=working") == [held]
    assert tasks_behind("show=open") == [f"t{number}" for number in range(8) if f"t{number}" != held]


def test_the_pace_leads_to_the_answers_of_the_last_minutes(watched: Watched, viewer: Client) -> None:
    first, second = links(get(viewer, watched.path), "minutes=5")
    assert first == second
    assert len(re.findall(r"#a-[0-9a-f-]{36}", get(viewer, first).content.decode())) == 24
    run("UPDATE test_clock SET shift = shift + interval '10 minutes'")
    assert "No such answer" in text_of(get(viewer, first))


def test_money_leads_to_the_postings_behind_it(watched: Watched, viewer: Client) -> None:
    [address] = links(get(viewer, watched.path), f"place=escrow%3A{watched.batch.public_id}")
    page = text_of(get(viewer, address))
    assert f"{watched.batch.name} · for work" in page
    assert "+0.704 EUR" in page, "what was held when it was published"


def test_a_bar_of_a_tree_leads_to_the_answers_with_that_path() -> None:
    tree = [
        {"value": "animal", "title": "Animal", "children": [{"value": "dog", "title": "Dog"}]},
        {"value": "plant", "title": "Plant"},
    ]
    interface = {
        "data": [{"name": "text", "type": "text"}],
        "answer": [{"name": "kind", "type": "taxonomy", "title": "Kind", "tree": tree}],
    }
    batch = make.make_batch(2, project=make.make_project(interface=interface), gold_policy=NO_GOLD)
    worker = make.make_worker()
    paths = (["animal", "dog"], ["plant"])
    page = [
        Submission(lease.id, lease.token, {"kind": path})
        for lease, path in zip(make.take(worker, batch, 2), paths, strict=True)
    ]
    in_one(submit, worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    make_figures(batch.pk)
    client = client_of(make.owner_of(batch.requester))

    [dogs] = links(get(client, f"/console/batches/{batch.public_id}/"), "label=animal")

    assert re.findall(r"#a-([0-9a-f-]{36})", get(client, dogs).content.decode()) == [str(page[0].assignment)]
