"""How many answers have each object of a result, kept with the result and told with it."""

import json
from random import Random
from typing import Any

import pytest

from marketplace.batches.models import Batch
from marketplace.common.cells import as_csv
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.export import as_jsonl
from marketplace.results.models import Run
from marketplace.results.queries import RESULT_COLUMNS, result_rows
from marketplace.results.queries.quality import provenance_page
from tests import factories as make
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.submit import Submission, submit

pytestmark = pytest.mark.django_db
INTERFACE: dict[str, Any] = {
    "data": [{"name": "picture", "type": "image"}],
    "answer": [
        {"name": "spots", "type": "boxes", "of": "picture", "width": 100, "height": 50, "labels": [{"value": "spot"}]},
        {"name": "sharp", "type": "choice", "labels": [{"value": "yes"}, {"value": "no"}]},
    ],
}


def spot(x: float, width: float = 10) -> dict[str, Any]:
    return {"label": "spot", "x": x, "y": 10, "width": width, "height": 10}


def marked(*given: list[dict[str, Any]]) -> Run:
    """The run of one picture that a worker for each list of boxes has marked."""
    batch: Batch = make.make_draft(make.make_project(interface=INTERFACE), overlap=len(given))
    make.add_rows(batch, [{"external_id": "1", "data": {"picture": "https://example.org/1.png"}}])
    batch = make.published(batch)
    for boxes in given:
        worker = make.make_worker()
        [lease] = make.take(worker, batch)
        page = [Submission(lease.id, lease.token, {"spots": boxes, "sharp": "yes"})]
        with one_transaction(principal="t"):
            submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    with one_transaction(principal="t"):
        accept_answers(batch_id=batch.pk, assignments=None)
    with one_transaction(principal="t"):
        return aggregate(batch_id=batch.pk)


def lines_of(made: Run) -> dict[str, Any]:
    lines = b"".join(as_jsonl(result_rows(made, frozenset()))).splitlines()
    return {row["field"]: row for row in map(json.loads, lines)}


def test_each_object_of_a_result_says_how_many_answers_have_it_and_how_much_alike() -> None:
    # The fourth sees the first spot six tenths as wide; two see the second one.
    made = marked([spot(10), spot(60)], [spot(10), spot(60)], [spot(10)], [spot(10, 6)])
    told = lines_of(made)
    assert [box["x"] for box in told["spots"]["value"]] == [10, 60]
    assert told["spots"]["objects"] == [
        {"share": 1.0, "at_50": 1.0, "at_75": 0.75},
        {"share": 0.5, "at_50": 0.5, "at_75": 0.5},
    ]
    assert "objects" not in told["sharp"], "a label has none"
    [row] = provenance_page(made, after_id=0, limit=5)
    shown = {result["field"]: result.get("objects") for result in row["results"]}
    assert shown == {"spots": told["spots"]["objects"], "sharp": None}


def test_shares_are_told_to_six_digits_and_tables_keep_their_columns() -> None:
    made = marked([spot(10)], [spot(10)], [])
    assert lines_of(made)["spots"]["objects"] == [{"share": 0.666667, "at_50": 0.666667, "at_75": 0.666667}]
    header = b"".join(as_csv(RESULT_COLUMNS, result_rows(made, frozenset()))).splitlines()[0]
    assert header.decode().split(",") == RESULT_COLUMNS and "objects" not in RESULT_COLUMNS


def test_a_result_without_an_object_has_no_objects() -> None:
    told = lines_of(marked([], []))["spots"]
    assert told["value"] == [] and "objects" not in told
