"""Results and data sets on the console: made, followed, downloaded, handed on and traced back."""

import io
import json
import re
import zipfile
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from marketplace.batches.models import Batch
from marketplace.results.commands.adjudication import Grounds, adjudicate
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.models import Dataset, DatasetLink, Run
from marketplace.results.states import RulingReason
from marketplace.results.tasks import build_datasets
from tests import factories as make
from tests.acts import in_one
from tests.console.reviewed import answers_to, disputed, member
from tests.web.visitors import client_of, key_in, text_of
from workers.assignments.commands.decide import accept_answers
from workers.profiles.commands import pseudonym_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(db: None) -> Batch:
    """Answered and paid, with results."""
    made = disputed(4)
    in_one(accept_answers, batch_id=made.pk, assignments=None)
    in_one(aggregate, batch_id=made.pk, method="majority")
    return made


def data_of(batch: Batch) -> str:
    return reverse("console_batch_data", args=[batch.public_id])


def version(batch: Batch, number: int = 1) -> str:
    return reverse("console_dataset", args=[batch.public_id, number])


def send(client: Client, at: str, **fields: Any) -> Any:
    return client.post(at, {"form_key": key_in(client.get(at)), **fields})


def make_version(client: Client, batch: Batch, **fields: Any) -> Any:
    run = str(Run.objects.filter(batch=batch).latest("pk").public_id)
    return send(client, data_of(batch), **{"act": "make", "format": "jsonl", "run": run, "gold": "on", **fields})


def test_members_see_the_data_and_to_others_there_is_none(batch: Batch) -> None:
    made = make_version(member(batch.requester, "reviewer"), batch)
    assert made.status_code == 303
    project = reverse("console_data", args=[batch.project.public_id])
    lineage = reverse("console_lineage", args=[batch.public_id])
    for at in (data_of(batch), version(batch), project, lineage):
        assert member(batch.requester, "viewer").get(at).status_code == 200, at
        assert client_of(make.make_requester().members.get().user).get(at).status_code == 404, at
    assert member(batch.requester, "viewer").get(version(batch, 2)).status_code == 404


def test_a_version_is_made_followed_and_opened(batch: Batch) -> None:
    client = member(batch.requester, "reviewer")

    asked = make_version(client, batch, splits="train 50, test 50", seed="s", answers="on")

    assert (asked.status_code, asked["Location"]) == (303, version(batch))
    page = client.get(version(batch))
    assert "Items are gathered" in text_of(page)
    assert f'data-follow="/api/v1/batches/{batch.public_id}/datasets/1"' in page.content.decode()
    build_datasets()
    page = client.get(version(batch))
    text = text_of(page)
    assert "Ready" in text and "Nothing was lost in this format." in text
    assert "Validation report" in text and "Every task has a label" in text
    splits = dict(re.findall(r" (train|test) (\d) ", text.split("By label")[1]))
    assert sum(map(int, splits.values())) == 4
    assert "data-follow" not in page.content.decode()
    file = reverse("console_dataset_file", args=[batch.public_id, 1])
    assert f'href="{file}?table=splits"' in page.content.decode()
    header, *lines = client.get(f"{file}?table=splits").content.decode().splitlines()
    assert header == "split,label,items"
    assert {tuple(line.split(",")) for line in lines} == {(name, "Cat", splits[name]) for name in splits}
    labels = re.search(rf'href="{file}\?table=(labels-[a-z]+)"', page.content.decode())
    assert labels and client.get(f"{file}?table={labels[1]}").content.decode().splitlines() == ["what,times", "Cat,4"]
    assert client.get(f"{file}?table=labels-nothing").status_code == 404
    archive = client.get(f"/api/v1/batches/{batch.public_id}/datasets/1/archive")
    names = zipfile.ZipFile(io.BytesIO(b"".join(archive.streaming_content)))  # type: ignore[attr-defined]
    files = [name for name in names.namelist() if name.endswith(".jsonl")]
    items = [json.loads(line) for name in files for line in names.read(name).splitlines()]
    assert {item["external_id"]: item["values"]["label"] for item in items} == dict.fromkeys(
        ["t0", "t1", "t2", "t3"], "cat"
    )
    listed = text_of(client.get(data_of(batch)))
    assert "Version 1 JSON Lines" in listed and ", by Majority:" in listed
    assert "Dawid and Skene" in listed and "dawid" not in listed
    assert "Version 1" in text_of(client.get(reverse("console_data", args=[batch.project.public_id])))


def test_what_formats_lose_is_said_before(batch: Batch) -> None:
    text = text_of(member(batch.requester, "reviewer").get(data_of(batch)))
    assert "JSON Lines Loses no field." in text
    assert re.search(r"COCO, detection and segmentation Not for this project: [^.]*can say anything", text)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"splits": "train and test"}, "Write names and percentages"),
        ({"splits": "train 50, test 30"}, "The parts add up to 80 %; they must add up to 100 %."),
        ({"splits": "train 80, val 10, test 20"}, "The parts add up to 110 %; they must add up to 100 %."),
        ({"splits": "train 50, train 50"}, "“train” is named twice"),
        ({"splits": "Train 50, test 50"}, "Train: must be named by at most 20 small letters"),
        ({"format": "coco"}, "can say anything"),
        ({"run": "00000000-0000-4000-8000-000000000000"}, "Select a valid choice"),
        ({"seed": "s"}, "Is required with seed and stratify"),
    ],
)
def test_what_cannot_be_made_is_said_and_what_was_typed_is_kept(
    batch: Batch, fields: dict[str, str], says: str
) -> None:
    reply = make_version(member(batch.requester, "reviewer"), batch, **fields)
    assert reply.status_code == 422
    assert says in text_of(reply)
    for name in ("splits", "seed"):
        assert name not in fields or f'value="{fields[name]}"' in reply.content.decode()
    assert not Dataset.objects.exists()


def test_results_are_made_by_reviewers_and_by_no_viewer(batch: Batch) -> None:
    runs = Run.objects.filter(batch=batch).count()
    assert "Put the answers together" not in text_of(member(batch.requester, "viewer").get(data_of(batch)))
    refused = member(batch.requester, "viewer").post(
        data_of(batch), {"form_key": "z" * 20, "act": "aggregate", "method": ""}
    )
    assert (refused.status_code, Run.objects.filter(batch=batch).count()) == (403, runs)

    done = send(member(batch.requester, "reviewer"), data_of(batch), act="aggregate", method="majority")

    assert done.status_code == 303
    assert Run.objects.filter(batch=batch).count() == runs + 1


def test_without_paid_answers_it_is_said_what_to_do_first() -> None:
    batch = disputed(1)
    client = member(batch.requester, "reviewer")
    reply = send(client, data_of(batch), act="aggregate", method="")
    assert reply.status_code == 422
    assert "Accept answers first" in text_of(reply)


def test_managers_hand_a_version_on_by_a_link_that_is_shown_once(batch: Batch) -> None:
    manager, reviewer = member(batch.requester, "manager"), member(batch.requester, "reviewer")
    make_version(reviewer, batch)
    build_datasets()
    refused = reviewer.post(version(batch), {"form_key": "q" * 20, "act": "link", "life": "3600"})
    assert (refused.status_code, DatasetLink.objects.count()) == (403, 0)
    form = {"form_key": key_in(manager.get(version(batch))), "act": "link", "life": "3600"}

    shown = manager.post(version(batch), form)

    [address] = re.findall(r'value="http://testserver(/api/v1/dataset-links/[^"]+)"', shown.content.decode())
    assert Client(REMOTE_ADDR="192.0.2.7").get(address).status_code == 200
    assert manager.post(version(batch), form).status_code == 303, "a repeat makes no second one"
    assert DatasetLink.objects.count() == 1
    assert address not in manager.get(version(batch)).content.decode()
    link = str(DatasetLink.objects.get().public_id)
    send(manager, version(batch), act="end", link=link)
    assert Client(REMOTE_ADDR="192.0.2.8").get(address).status_code == 404


def test_the_lineage_of_a_label_names_workers_as_they_are_known_here(batch: Batch) -> None:
    grounds = Grounds(RulingReason.OTHER, "I asked the vet.", make.owner_of(batch.requester).pk)
    in_one(adjudicate, batch_id=batch.pk, task="t0", grounds=grounds, values={"label": "dog"})
    in_one(aggregate, batch_id=batch.pk, method="majority")
    client = member(batch.requester, "viewer")
    page = client.get(reverse("console_lineage", args=[batch.public_id]), {"task": "t0"})
    text = text_of(page)
    assert "Dog" in text and "settled by hand" in text and "I asked the vet." in text
    for answer in answers_to(batch, "t0"):
        assert in_one(pseudonym_for, worker_id=answer.worker_id, requester_id=batch.requester_id) in text
        assert str(answer.worker.public_id) not in page.content.decode()
    for name in ("t99", "\x00", "t0\x00"):
        nothing = client.get(reverse("console_lineage", args=[batch.public_id]), {"task": name})
        assert (nothing.status_code, "There is no such task" in text_of(nothing)) == (404, True), name


def test_the_page_of_the_data_costs_as_many_statements_however_many_versions_there_are(batch: Batch) -> None:
    client = member(batch.requester, "reviewer")

    def cost() -> int:
        client.get(data_of(batch))
        with CaptureQueriesContext(connection) as caught:
            client.get(data_of(batch))
        return len(caught)

    make_version(client, batch)
    build_datasets()
    few = cost()
    for _n in range(3):
        make_version(client, batch)
        build_datasets()
    assert cost() == few < 25
