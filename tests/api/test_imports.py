"""Large imports and priorities over HTTP: 202, progress, cancellation, repeats."""

import json
from typing import Any
from uuid import uuid4

import pytest

from marketplace.api import imports
from marketplace.batches.commands import imports as steps
from marketplace.batches.models import Import, ImportPart, Task
from marketplace.batches.tasks import advance_imports
from tests import factories as make
from tests.api.described import findings
from tests.api.market import Market, make_market

JSONL = "application/x-ndjson"


@pytest.fixture
def market(committed: str, monkeypatch: pytest.MonkeyPatch) -> Market:
    """Everything above 300 bytes is large, and a part has 100."""
    monkeypatch.setattr(imports, "WHOLE_BYTES_MAX", 300)
    for module in (imports, steps):
        monkeypatch.setattr(module, "PART_BYTES", 100)
    return make_market()


def body(count: int, wrong: bool = False) -> bytes:
    found = [{"external_id": f"n{n}", "data": {"text": f"text {n}"}} for n in range(count)]
    return "\n".join(map(json.dumps, found)).encode() + (b"\n{" if wrong else b"")


def test_a_large_import_is_followed_until_it_is_done(market: Market) -> None:
    at = f"batches/{market.draft.public_id}/imports"
    taken = market["owner"].post(at, raw=body(50), content_type=JSONL).expect(202)
    assert (taken["state"], taken["bytes_total"], taken["bytes_done"]) == ("running", len(body(50)), 0)
    assert taken["finished_at"] is None
    assert market["owner"].post(f"batches/{market.draft.public_id}/publish").code == "import-running"
    assert market["owner"].post(at, raw=body(1), content_type=JSONL).code == "import-running"

    advance_imports()

    done = market["viewer"].get(f"{at}/{taken['id']}").expect(200)
    assert (done["state"], done["tasks"], done["rows_read"], done["bytes_done"]) == ("done", 50, 50, len(body(50)))
    assert [one["tasks"] for one in market["viewer"].all(at)] == [2, 50]
    assert market["owner"].get(f"batches/{market.draft.public_id}/estimate").expect(200)["tasks"] == 52
    assert ImportPart.objects.count() == 0
    assert [finding for reply in market.said for finding in findings(reply)] == []


def test_a_small_body_is_answered_when_its_tasks_are_there(market: Market) -> None:
    at = f"batches/{market.draft.public_id}/imports"
    done = market["owner"].post(at, raw=body(2), content_type=JSONL).expect(201)
    size = len(body(2))
    assert (done["state"], done["tasks"], done["bytes_total"], done["bytes_done"]) == ("done", 2, size, size)
    assert ImportPart.objects.count() == 0


def test_wrong_rows_of_a_large_import_are_shown_with_it(market: Market) -> None:
    at = f"batches/{market.draft.public_id}/imports"
    taken = market["owner"].post(at, raw=body(50, wrong=True), content_type=JSONL).expect(202)
    advance_imports()
    advance_imports()

    failed = market["owner"].get(f"{at}/{taken['id']}").expect(200)
    assert (failed["state"], failed["tasks"], failed["error_count"]) == ("failed", 0, 1)
    assert failed["row_errors"][0]["row"] == 51
    assert failed["finished_at"]
    assert Task.objects.filter(batch=market.draft).count() == 2
    market["owner"].post(at, raw=body(50), content_type=JSONL).expect(202)


def test_a_large_import_can_be_cancelled_and_another_begun(market: Market) -> None:
    at = f"batches/{market.draft.public_id}/imports"
    taken = market["owner"].post(at, raw=body(50), content_type=JSONL).expect(202)
    for _ in range(2):
        assert market["manager"].post(f"{at}/{taken['id']}/cancel").expect(200)["state"] == "cancelled"
    advance_imports()
    assert market["owner"].get(f"{at}/{taken['id']}").expect(200)["finished_at"]
    assert Task.objects.filter(batch=market.draft).count() == 2
    again = market["owner"].post(at, raw=body(50), content_type=JSONL).expect(202)
    advance_imports()
    assert market["owner"].post(f"{at}/{again['id']}/cancel").code == "import-ended"
    assert market["owner"].post(f"{at}/{uuid4()}/cancel").status == 404


def test_a_repeat_of_a_large_import_gets_the_same_bytes(market: Market) -> None:
    at = f"batches/{market.draft.public_id}/imports"
    sent: dict[str, Any] = {"raw": body(50), "content_type": JSONL, "key": "once"}
    first = market["owner"].post(at, **sent)
    second = market["owner"].post(at, **sent)
    advance_imports()
    third = market["owner"].post(at, **sent)

    assert (first.status, second.body, third.body) == (202, first.body, first.body)
    assert third.headers["Idempotent-Replay"] == "true"
    assert market["owner"].post(at, **{**sent, "raw": body(51)}).code == "idempotency-key-reused"
    assert Import.objects.filter(batch=market.draft).count() == 2
    assert Task.objects.filter(batch=market.draft).count() == 52


def test_a_repeat_of_a_request_that_broke_off_begins_anew(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    at = f"batches/{market.draft.public_id}/imports"
    sent: dict[str, Any] = {"raw": body(50), "content_type": JSONL, "key": "once"}
    kept, add_part = [], imports.add_part

    def breaks(**given: Any) -> None:
        if len(kept) == 5:
            raise ConnectionResetError
        kept.append(given["number"])
        add_part(**given)

    monkeypatch.setattr(imports, "add_part", breaks)
    assert market["owner"].post(at, **sent).status == 500
    assert (Import.objects.get(state="receiving").bytes_total, ImportPart.objects.count()) == (500, 5)
    monkeypatch.setattr(imports, "add_part", add_part)

    assert market["owner"].post(at, **{**sent, "key": "other"}).code == "import-running"
    market["owner"].post(at, **sent).expect(202)
    advance_imports()
    assert Task.objects.filter(batch=market.draft).count() == 52
    assert Import.objects.filter(batch=market.draft).count() == 2


def test_a_body_that_is_too_large_or_too_short_leaves_nothing(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    at = f"batches/{market.draft.public_id}/imports"
    monkeypatch.setattr(imports, "IMPORT_BYTES_MAX", 1_000)
    before = Import.objects.count()
    # It says how large it is: nothing of it is looked at.
    assert market["owner"].post(at, raw=body(50), content_type=JSONL).code == "import-too-large"
    assert Import.objects.count() == before
    assert (ImportPart.objects.count(), Task.objects.filter(batch=market.draft).count()) == (0, 2)


def test_priorities_change_over_http(market: Market) -> None:
    draft = make.make_draft(market.project, order="priority")
    make.add_rows(draft, make.rows(3))
    at = f"batches/{draft.public_id}/priorities"
    asked = {"tasks": [{"external_id": "t1", "priority": 9}]}
    assert market["manager"].call("PUT", at, asked).expect(200) == {"changed": 1}
    assert market["manager"].call("PUT", at, asked).expect(200) == {"changed": 0}
    wrong = market["owner"].call("PUT", at, {"tasks": [{"external_id": "x", "priority": 9}]})
    assert (wrong.status, wrong.code, wrong.json["errors"][0]["field"]) == (422, "invalid-priorities", "external_id")
    for bad in ({"tasks": []}, {"tasks": [{"external_id": "t1", "priority": 10}]}, {"tasks": [{"priority": 1}]}):
        assert market["owner"].call("PUT", at, bad).status == 422
    assert market["owner"].call("PUT", at, {"tasks": [{"external_id": "t1", "level": 1}]}).code == "unknown-field"
