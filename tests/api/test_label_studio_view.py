"""What Label Studio writes, over HTTP: labelling configs become interfaces, tasks become items and gold keys."""

import json
import time
from itertools import pairwise
from typing import Any

import pytest

from marketplace.api import imports
from marketplace.batches.commands import imports as steps
from marketplace.batches.models import Batch, Payload, Task
from marketplace.batches.tasks import advance_imports
from marketplace.projects.models import Project
from tests import factories as make
from tests.api.described import findings
from tests.api.market import Market, make_market

AT = "label-studio/interface"
TEXT = '<Text name="txt" value="$text"/>'
LABEL = '<Choices name="label" toName="txt" required="true"><Choice value="cat"/><Choice value="dog"/></Choices>'


@pytest.fixture
def market(committed: str) -> Market:
    return make_market()


def task(number: int, *, truth: str = "", others: int = 0, predictions: int = 0, **more: Any) -> dict[str, Any]:
    said = {"result": [result("dog")], "was_cancelled": False}
    return {
        "id": number,
        "data": {"text": f"text {number}"},
        "annotations": [said] * others + ([{"ground_truth": True, "result": [result(truth)]}] if truth else []),
        "predictions": [{"model_version": "m", "result": [result("cat")], "score": 0.5}] * predictions,
        "meta": {},
        **more,
    }


def result(label: str) -> dict[str, Any]:
    return {"from_name": "label", "to_name": "txt", "type": "choices", "value": {"choices": [label]}}


def send(market: Market, draft: Batch, tasks: Any, **options: Any) -> Any:
    at = f"batches/{draft.public_id}/imports?format=label_studio"
    return market["owner"].post(at, raw=json.dumps(tasks).encode(), **options)


def test_a_labelling_config_becomes_an_interface_that_a_project_can_be_made_with(market: Market) -> None:
    before = Project.objects.count()
    read = market["viewer"].post(AT, {"config": f"<View>{TEXT}{LABEL}</View>"}).expect(200)

    assert [(field["name"], field["type"]) for field in read["interface"]["answer"]] == [("label", "choice")]
    assert read["controls"] == {"label": "label"}
    assert Project.objects.count() == before
    asked = {"requester": str(market.requester.public_id), "name": "Pets", "interface": read["interface"]}
    made = market["owner"].post("projects", asked).expect(201)
    version = market["owner"].get(f"projects/{made['id']}/versions/1").expect(200)
    assert version["interface"] == read["interface"]
    assert [finding for reply in market.said for finding in findings(reply)] == []


def test_every_tag_without_a_type_of_ours_is_an_error_that_names_it(market: Market) -> None:
    config = f'<View>{TEXT}{LABEL}<TimeSeries name="t" value="$t"/><Chat name="c" toName="txt"/></View>'
    refused = market["owner"].post(AT, {"config": config})
    assert (refused.status, refused.code) == (422, "invalid-interface")
    assert [error["field"] for error in refused.json["errors"]] == ["TimeSeries t", "Chat c"]
    reserved = market["owner"].post(AT, {"config": f"<View>{TEXT}{LABEL.replace('label', 'worker')}</View>"})
    assert [error["field"] for error in reserved.json["errors"]] == ["answer[0].name"]


def billion_laughs() -> str:
    names = ["lol", *(f"lol{n}" for n in range(1, 10))]
    entities = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise(names))
    return f'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">{entities}]><View><Header value="&lol9;"/></View>'


@pytest.mark.parametrize(
    "config",
    [
        billion_laughs(),
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><View>&x;</View>',
        "<View>" * 100_000 + "</View>" * 100_000,
        "<View>" + "<View/>" * 100_000 + "</View>",
        f"<View>{TEXT}" + '<Labels name="a" toName="txt"/>' * 15_000 + "<Relations/>" * 15_000 + "</View>",
        f"<View>{TEXT}" + "".join(f'<Rating name="r{n}" toName="txt"/>' for n in range(9_900)) + "</View>",
        "x" * (1024 * 1024 + 1),
    ],
    ids=["billion laughs", "a file", "deep", "wide", "relations", "many controls", "long"],
)
def test_a_config_that_is_a_bomb_is_refused_fast(market: Market, config: str) -> None:
    begun = time.monotonic()
    refused = market["owner"].post(AT, {"config": config})
    assert refused.status == 422
    assert len(refused.json["errors"]) <= 100
    assert time.monotonic() - begun < 15, "the time of a bomb that went off is minutes"


def test_tasks_become_items_and_ground_truth_becomes_gold(market: Market) -> None:
    draft = make.make_draft(market.project)
    done = send(market, draft, [task(7, truth="cat", others=2, predictions=1), task(8, others=1), {"text": "c"}])
    done = done.expect(201)

    assert (done["state"], done["tasks"], done["gold"], done["rows_read"]) == ("done", 3, 1, 3)
    assert done["left_out"] == {"annotations": 3, "predictions": 1}
    tasks = Task.objects.filter(batch=draft).order_by("id")
    assert [one.external_id for one in tasks] == ["7", "8", "3"]
    data = [one.data for one in Payload.objects.filter(batch_id=draft.pk).order_by("task_id")]
    assert data == [{"text": "text 7"}, {"text": "text 8"}, {"text": "c"}]
    assert [finding for reply in market.said for finding in findings(reply)] == []


def test_errors_name_the_task_and_the_place_and_nothing_is_kept(market: Market) -> None:
    draft = make.make_draft(market.project)
    tasks = [
        task(1, truth="horse"),
        task(2, data={"text": "x", "colour": "red"}),
        task(3, annotations=[{"ground_truth": True, "result": [{**result("cat"), "from_name": "other"}]}]),
        task(4, annotations=[{"ground_truth": True, "result": [result("cat")]}] * 2),
        task(5, annotations=[{"ground_truth": True, "result": []}]),
        task(6, id=1.5),
        task(7, data=[]),
        {**task(8), "predictions": "none"},
        task(1),
    ]
    refused = send(market, draft, tasks)

    assert (refused.status, refused.code) == (422, "invalid-rows")
    assert [(error["row"], error["field"]) for error in refused.json["errors"]] == [
        (1, "gold.label"),
        (2, "data.colour"),
        (3, "annotations[0].result[0]"),
        (4, "annotations[1]"),
        (5, "gold"),
        (6, "id"),
        (7, "data"),
        (8, "predictions"),
    ]
    assert not Task.objects.filter(batch=draft).exists()
    twice = send(market, draft, [task(1), task(1)])
    assert [(error["row"], error["field"]) for error in twice.json["errors"]] == [(2, "external_id")]


def test_a_ground_truth_that_was_cancelled_says_nothing(market: Market) -> None:
    draft = make.make_draft(market.project)
    said = {"ground_truth": True, "was_cancelled": True, "result": [result("horse")]}
    done = send(market, draft, [task(1, annotations=[said])]).expect(201)
    assert (done["gold"], done["left_out"]) == (0, {"annotations": 1})


def test_a_large_array_is_read_in_steps_and_counted_once(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    # Room for the first of them.
    monkeypatch.setattr(imports, "WHOLE_BYTES_MAX", 3_000)
    for module in (imports, steps):
        monkeypatch.setattr(module, "PART_BYTES", 100)
    monkeypatch.setattr("marketplace.batches.commands.loading.CHUNK", 7)
    draft = make.make_draft(market.project)
    tasks = [task(n, truth="cat" if n % 10 == 0 else "", others=1, predictions=2) for n in range(50)]
    taken = send(market, draft, tasks, key="once").expect(202)
    assert send(market, draft, tasks, key="once").headers["Idempotent-Replay"] == "true"

    advance_imports()

    done = market["viewer"].get(f"batches/{draft.public_id}/imports/{taken['id']}").expect(200)
    assert (done["state"], done["tasks"], done["gold"], done["rows_read"]) == ("done", 50, 5, 50)
    assert done["bytes_done"] == done["bytes_total"]
    assert done["left_out"] == {"annotations": 50, "predictions": 100}
    assert [finding for reply in market.said for finding in findings(reply)] == []


def test_an_array_that_breaks_off_fails_and_leaves_nothing(market: Market) -> None:
    draft = make.make_draft(market.project)
    body = json.dumps([task(1), task(2)]).encode()
    at = f"batches/{draft.public_id}/imports?format=label_studio"
    for cut in (body[:-1], body[:-20], body + b"]"):
        refused = market["owner"].post(at, raw=cut)
        assert (refused.status, refused.json["errors"][0]["row"]) == (422, 2)
    assert market["owner"].post(at, raw=b"[]").json["errors"][0]["message"] == "the file holds no rows"
    assert not Task.objects.filter(batch=draft).exists()


def test_a_format_and_a_type_that_do_not_go_together_are_refused(market: Market) -> None:
    at = f"batches/{make.make_draft(market.project).public_id}/imports"
    for address, kind, status in (
        ("", "application/json", 415),
        ("?format=label_studio", "text/csv", 415),
        ("?format=coco", "application/json", 400),
        ("?from=label_studio", "application/json", 400),
    ):
        assert market["owner"].post(at + address, raw=b"[]", content_type=kind).status == status
