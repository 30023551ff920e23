"""A batch while it runs, over HTTP: where it stands, its figures, and the tasks and answers behind them."""

from typing import Any
from urllib.parse import quote

import pytest

from marketplace.results.tasks import make_figures
from tests import factories as make
from tests.api.callers import Caller, caller_for
from tests.console.watched import Watched, make_watched

pytestmark = pytest.mark.django_db


@pytest.fixture
def watched() -> Watched:
    return make_watched(6)


@pytest.fixture
def viewer(watched: Watched) -> Caller:
    return caller_for(watched.people["viewer"], "requester")


def at(watched: Watched, what: str) -> str:
    return f"batches/{watched.batch.public_id}/{what}"


def test_a_viewer_reads_where_the_batch_stands(watched: Watched, viewer: Caller) -> None:
    found = viewer.get(at(watched, "standing")).expect(200)

    assert (found["state"], found["places_left"], found["places_closed"]) == ("published", 6, 0)
    assert found["progress"]["submitted"] == 18
    assert found["money"]["escrow_micros"] == 24 * (make.PRICE + make.FEE)
    assert found["forecast_low_s"] < found["forecast_s"] < found["forecast_high_s"]
    viewer.get(at(watched, "standing?of=now")).expect(400)


def test_figures_are_those_that_were_worked_out_last_and_name_workers_by_pseudonyms(
    watched: Watched, viewer: Caller
) -> None:
    found = viewer.get(at(watched, "figures")).expect(200)

    assert found["changed"] is False and found["made_at"]
    figures = found["figures"]
    assert {one["worker"] for one in figures["workers"]} == {watched.name_of(one) for one in watched.workers[:3]}
    [field] = figures["fields"]
    assert field["agreement"]["field"] == "label"
    assert field["matrix"]["labels"] == ["cat", "dog"]
    assert {one["label"]: one["answers"] for one in field["given"]} == {"cat": 6, "dog": 11}
    assert figures["given_up"] == {"broken": 1}


def test_before_they_are_worked_out_figures_say_so_and_asking_has_it_done() -> None:
    batch = make.make_batch(2)
    owner = caller_for(make.owner_of(batch.requester), "requester")

    first = owner.get(f"batches/{batch.public_id}/figures").expect(200)
    make_figures(batch.pk)
    second = owner.get(f"batches/{batch.public_id}/figures").expect(200)

    assert first == {"made_at": None, "changed": True, "figures": None}
    assert second["figures"]["answers"] == 0


def test_tasks_are_listed_by_name_page_after_page_and_found_by_kind(watched: Watched, viewer: Caller) -> None:
    everything = viewer.all(at(watched, "tasks"), limit=2)

    assert [one["task"] for one in everything] == [f"t{number}" for number in range(6)]
    assert everything[1] == {
        "task": "t1", "places": 4, "answers": 3, "unclear": 0, "posterior": everything[1]["posterior"],
        "values": {"label": "dog"}, "settled": False, "quarantined_at": None,
    }  # fmt: skip
    assert [one["task"] for one in viewer.all(at(watched, "tasks?show=unclear"))] == ["t0"]
    assert [one["task"] for one in viewer.all(at(watched, "tasks?show=split"))] == ["t2", "t4"]
    both = viewer.all(at(watched, "tasks?field=label&one=cat&other=dog"))
    assert [one["task"] for one in both] == ["t2", "t4"]
    refused = viewer.get(at(watched, "tasks?show=gold")).expect(422)
    kinds = "one of unclear, split, unsure, unanswered, open, closed, working, quarantine"
    assert refused["errors"] == [{"field": "show", "message": kinds}]
    viewer.get(at(watched, "tasks?one=%00")).expect(422)


def test_one_task_has_its_data(watched: Watched, viewer: Caller) -> None:
    found = viewer.get(at(watched, "task?task=t3")).expect(200)

    assert (found["task"], found["data"], found["values"]) == ("t3", {"text": "animal 3"}, {"label": "dog"})
    viewer.get(at(watched, "task?task=t99")).expect(404)
    viewer.get(at(watched, "task")).expect(422)
    viewer.get(at(watched, "task?task=%00")).expect(422)


def test_answers_are_found_by_task_worker_label_and_whether_they_are_unclear(watched: Watched, viewer: Caller) -> None:
    def found(query: str) -> list[Any]:
        return viewer.all(at(watched, f"answers?{query}"), limit=4)

    name = watched.name_of(watched.workers[2])
    assert len(found("task=t1")) == 3
    assert {one["task"] for one in found(f"worker={quote(name)}")} == {f"t{number}" for number in range(6)}
    assert [one["task"] for one in found("unclear=true")] == ["t0"]
    assert len(found("unclear=false")) == 17
    assert len(found("field=label&label=cat")) == 6
    assert found(f"worker={quote(name)}&field=label&label=cat") == []
    assert found("worker=w_nobody") == []
    assert found("task=t99") == []
    assert len(found("since=2020-01-01T00:00:00Z")) == 18
    assert found("until=2020-01-01T00:00:00Z") == []
    ends = ("since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:59-14:00")
    for wrong in ("unclear=yes", "state=gold", "task=%00", "worker=", "since=noon", "until=2020-01-01", *ends):
        viewer.get(at(watched, f"answers?{wrong}")).expect(422)


def test_what_is_rejected_is_withheld_and_cannot_be_found_by_what_it_says(watched: Watched, viewer: Caller) -> None:
    reviewer = caller_for(watched.people["reviewer"], "requester")
    [answer] = viewer.all(at(watched, f"answers?task=t2&worker={quote(watched.name_of(watched.workers[2]))}"))
    body = {"answers": [answer["id"]], "reason": "wrong", "comment": "This is a cat."}
    reviewer.post(at(watched, "answers/reject"), body).expect(200)

    rejected = viewer.all(at(watched, "answers?state=rejected"))

    assert answer["values"] == {"label": "dog"}
    assert [one["values"] for one in rejected] == [None]
    assert answer["id"] not in {one["id"] for one in viewer.all(at(watched, "answers?field=label&label=dog"))}


def test_tasks_that_were_given_back_are_told_with_what_their_workers_say(watched: Watched, viewer: Caller) -> None:
    [found] = viewer.all(at(watched, "given-up"))

    assert found == {
        "task": found["task"], "worker": watched.name_of(watched.workers[3]), "reason": "broken",
        "comment": "The picture does not load.",
    }  # fmt: skip
    assert viewer.all(at(watched, "given-up?reason=too_hard")) == []
    viewer.get(at(watched, "given-up?reason=skip")).expect(422)


def test_two_organisations_know_the_same_worker_by_different_names(watched: Watched, viewer: Caller) -> None:
    other = make.make_batch(4, overlap=2, lease_cap=10)
    worker = watched.workers[0]
    make.answer(worker, make.take(worker, other, 4))
    make_figures(other.pk)
    owner = caller_for(make.owner_of(other.requester), "requester")

    theirs = owner.get(f"batches/{other.public_id}/figures").expect(200)["figures"]["workers"]
    ours = viewer.get(at(watched, "figures")).expect(200)["figures"]["workers"]

    assert {one["worker"] for one in theirs}.isdisjoint({one["worker"] for one in ours})
    assert str(worker.public_id) not in str(theirs) + str(ours)
