"""Reviews over HTTP: what waits, labels settled by hand, and what a sample proves."""

import pytest

from marketplace.batches.models import Batch
from tests import factories as make
from tests.acts import in_one
from tests.api.callers import Caller, caller_for
from tests.api.described import findings
from tests.console.reviewed import answers_to, disputed
from workers.profiles.commands import pseudonym_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(db: None) -> Batch:
    return disputed(3)


@pytest.fixture
def owner(batch: Batch) -> Caller:
    return caller_for(make.owner_of(batch.requester), "requester", who="owner")


def test_what_waits_comes_with_its_answers_and_the_names_that_are_known(batch: Batch, owner: Caller) -> None:
    reply = owner.get(f"batches/{batch.public_id}/review-queue?queue=disagreements")
    assert findings(reply) == []
    [item] = reply.expect(200)["results"]
    assert (item["task"], item["standing"]["values"], item["adjudications"]) == ("t0", {"label": "cat"}, [])
    [dog] = answers_to(batch, "t0", "dog")
    told = {one["id"]: one for one in item["answers"]}[str(dog.public_id)]
    name = in_one(pseudonym_for, worker_id=dog.worker_id, requester_id=batch.requester_id)
    assert (told["values"], told["differs"], told["worker"]) == ({"label": "dog"}, ["label"], name)
    owner.get(f"batches/{batch.public_id}/review-queue?queue=gold").expect(422)


def test_a_queue_is_walked_page_by_page(batch: Batch) -> None:
    large = disputed(7, disputes=7)
    caller = caller_for(make.owner_of(large.requester), "requester")
    for queue in ("disagreements", "sample"):
        found = caller.all(f"batches/{large.public_id}/review-queue?queue={queue}", limit=3)
        assert sorted(item["task"] for item in found) == [f"t{n}" for n in range(7)]


def test_a_label_is_settled_and_read_back(batch: Batch, owner: Caller) -> None:
    path = f"batches/{batch.public_id}/adjudications"
    [dog] = answers_to(batch, "t0", "dog")
    body = {"task": "t0", "answer": str(dog.public_id), "reason": "other", "words": "I know this dog."}

    made = owner.post(path, body)

    assert findings(made) == []
    assert made.expect(201)["values"] == {"label": "dog"}
    assert (made.json["agrees"], made.json["holds"], made.json["sampled"]) == (False, True, False)
    assert owner.all(path) == [made.json]
    assert owner.get(f"batches/{batch.public_id}/review-queue").expect(200)["results"] == []
    for wrong, code in (
        ({"task": "t0", "reason": "plain"}, "adjudication-invalid"),
        ({"task": "t1", "values": {"label": "horse"}, "reason": "plain"}, "adjudication-invalid"),
        ({"task": "t1", "values": {"label": "cat"}, "reason": "other"}, "adjudication-invalid"),
        ({"task": "none", "values": {"label": "cat"}, "reason": "plain"}, "not-found"),
        ({"task": "t1", "answer": str(dog.public_id), "reason": "plain"}, "answer-not-choosable"),
        ({"task": "t0", "values": {"label": "cat"}, "reason": "plain", "sampled": True}, "not-in-sample"),
    ):
        assert owner.post(path, wrong).code == code
    assert len(owner.all(path)) == 1


def test_a_sample_says_how_many_more_looks_prove_what_is_wanted(batch: Batch, owner: Caller) -> None:
    path = f"batches/{batch.public_id}/sampling"
    told = owner.get(f"{path}?share=0.05")
    assert findings(told) == []
    assert told.expect(200) == {
        "population": 3, "looked_at": 0, "errors": 0, "share": 0.05, "confidence": 0.95, "bound": 1.0, "more": 3,
        "proven": False,
    }  # fmt: skip
    for _n in range(3):
        [item, *_more] = owner.get(f"batches/{batch.public_id}/review-queue?queue=sample").expect(200)["results"]
        body = {"task": item["task"], "values": {"label": "cat"}, "reason": "plain", "sampled": True}
        owner.post(f"batches/{batch.public_id}/adjudications", body).expect(201)
    counted = owner.get(f"{path}?share=0.05").expect(200)
    assert (counted["looked_at"], counted["errors"], counted["bound"], counted["proven"]) == (3, 0, 0.0, True)
    for wrong in ("share=0", "share=nan", "confidence=1", "share=much"):
        owner.get(f"{path}?{wrong}").expect(422)
    owner.get(f"{path}?other=1").expect(400)


def test_rejections_that_wait_are_told_to_the_one_who_asked_for_them(batch: Batch, owner: Caller) -> None:
    named = [str(one.public_id) for task in ("t0", "t1", "t2") for one in answers_to(batch, task)]
    asked = owner.post(
        f"batches/{batch.public_id}/answers/reject", {"answers": named, "reason": "wrong", "comment": "No."}
    )
    assert (asked.status, asked.json["waiting"]) == (202, 9)
    reply = owner.get(f"batches/{batch.public_id}/rejection-reviews")
    assert findings(reply) == []
    [told] = reply.expect(200)["results"]
    assert (told["id"], told["state"], told["answers"], told["decision"]) == (asked.json["review"], "open", 9, "")


def test_the_lineage_of_a_label_is_told(batch: Batch, owner: Caller) -> None:
    at = f"batches/{batch.public_id}"
    owner.post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)
    run = owner.post(f"{at}/results", {"method": "majority"}).expect(201)
    reply = owner.get(f"{at}/results/lineage?task=t0&run={run['id']}")
    assert findings(reply) == []
    told = reply.expect(200)
    assert [(one["field"], one["value"], one["answers"]) for one in told["results"]] == [("label", "cat", 3)]
    assert len(told["answers"]) == 3 and told["unused"] == [] and told["run"]["id"] == run["id"]
    assert {one["revision"] for one in told["answers"]} == {1}
    for nothing in ("nothing", "%00", "t0%00", "x" * 10_000):
        owner.get(f"{at}/results/lineage?task={nothing}").expect(404)
