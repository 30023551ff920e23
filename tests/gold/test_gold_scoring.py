"""The scoring step meets an answer that was returned for repair, and whatever a key leaves open."""

from random import Random

import pytest

from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.queries import LeasedTask, live_leases
from workers.gold.commands import score_due
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db

ALWAYS = {"min_share": 1.0, "max_share": 1.0, "probation": 0, "probation_share": 1.0}
TWO_KEYS = {
    "data": make.INTERFACE["data"],
    "answer": [*make.INTERFACE["answer"], {"name": "kg", "type": "number", "tolerance": 0.5, "required": False}],
}


def score() -> int:
    with one_transaction(principal="score"):
        return score_due()


def verdicts() -> list[float]:
    with one_transaction(principal="test"), acting_as("gold_reader"):
        return [row[0] for row in rows("SELECT score FROM gold_verdict ORDER BY made_at")]


def gold_batch(key: dict[str, object]) -> Batch:
    draft = make.make_draft(make.make_project(interface=TWO_KEYS), gold=ALWAYS)
    make.add_rows(draft, [{"external_id": "g", "data": {"text": "x"}, "gold": key}, *make.rows(1)])
    return make.published(draft)


def give(worker: Worker, batch: Batch, values: dict[str, object]) -> LeasedTask:
    lease = make.take(worker, batch)[0]
    assert lease.data == {"text": "x"}
    with one_transaction(principal="test"):
        submit(
            worker_id=worker.pk,
            page=[Submission(lease.id, lease.token, values)],
            then_claim=None,
            chance=Random(1),
        )
    return lease


@pytest.mark.parametrize(
    ("key", "values", "score_wanted"),
    [
        ({"label": "cat"}, {"label": "cat", "kg": 99}, 1.0),
        ({"label": "cat"}, {"label": "dog", "kg": 4}, 0.0),
        ({"label": "cat", "kg": 4}, {"label": "cat", "kg": 4.4}, 1.0),
        ({"label": "cat", "kg": 4}, {"label": "cat"}, 0.5),
        ({"label": "cat", "kg": 4}, {"label": "dog", "kg": 4}, 0.5),
    ],
)
def test_a_verdict_is_the_mean_over_the_fields_of_the_key(
    key: dict[str, object], values: dict[str, object], score_wanted: float
) -> None:
    give(make.make_worker(), gold_batch(key), values)
    assert verdicts() == []  # never at once
    assert score() == 1
    assert verdicts() == [score_wanted]


def test_a_repaired_answer_does_not_stop_the_scoring_step_and_is_judged_once() -> None:
    batch, worker = gold_batch({"label": "cat"}), make.make_worker()
    lease = give(worker, batch, {"label": "dog"})
    score()
    make.send_back(batch, [lease])
    lease = live_leases(worker.pk)[0]
    assert make.answer(worker, [lease], "cat").outcomes[0].revision == 2
    assert score() == 1
    assert verdicts() == [0.0]
    assert rows("SELECT count(*) FROM gold_toscore") == [(0,)]
