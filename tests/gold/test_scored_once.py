"""An answer leaves the scoring queue with its outcome, so that a scorer who comes later finds it no more."""

import pytest

from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.gold.commands import score_due

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("gold", [0, 3])
def test_an_answer_is_scored_by_one_run_and_not_by_the_next(gold: int) -> None:
    batch = make.make_batch(tasks=3, gold=gold, gold_policy={"probation": 3, "probation_share": 1.0})
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 3))
    scored = []
    for _ in range(3):
        with one_transaction(principal="test"):
            scored.append(score_due(limit=2))
    assert scored == [2, 1, 0]
    assert rows("SELECT answers, evidence FROM reputation_standing") == [(3, gold)]
    assert sorted(make.outcomes("kind")) == [("answer",)] * 3 + [("gold",)] * gold
    assert rows("SELECT * FROM gold_toscore") == []
