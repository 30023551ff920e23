"""A key that good workers keep failing is taken out with all it did to people, until its requester decides."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.submit import Submission, submit
from workers.gold.commands import score_due
from workers.gold.commands.audit import confirm_key, flag_suspicious, retire_key
from workers.gold.queries import keys_page
from workers.gold.suspicion import FAILURES_MIN, Met, suspicious, tail, without
from workers.profiles.models import Worker
from workers.reputation.queries import posterior_of
from workers.reputation.scoring import PRIOR, Posterior

Forward = Callable[[timedelta], None]
ALWAYS = {"min_share": 1.0, "max_share": 1.0, "probation": 0, "probation_share": 1.0}
GOOD = Posterior(60.0, 4.0)


def audit() -> int:
    with one_transaction(principal="audit"):
        return flag_suspicious()


def score() -> None:
    with one_transaction(principal="score"):
        while score_due():
            pass


def states(batch: Batch) -> dict[str, str]:
    with one_transaction(principal="test"):
        return {key.task: key.state for key in keys_page(batch, state=None, after_id=0, limit=100)}


def known(worker: Worker, batch: Batch) -> tuple[float, float, int]:
    found = posterior_of(worker_id=worker.pk, project_id=batch.project_id)
    return round(found.posterior.alpha, 6), round(found.posterior.beta, 6), found.evidence


def told() -> int:
    return len(rows("SELECT 1 FROM common_outbox WHERE kind = 'KeyFlagged'"))


def wrong_key_batch(workers: int = 4, overlap: int = 7) -> tuple[Batch, list[Worker]]:
    """Good workers each do all keys of a batch, the last of which is wrong."""
    draft = make.make_draft(overlap=overlap, gold=ALWAYS, lease_cap=30)
    wrong = {"external_id": "wrong", "data": {"text": "a wrong one"}, "gold": {"label": "dog"}}
    make.add_rows(draft, [*make.rows(3, 25), wrong])
    batch = make.published(draft)
    crew = [make.make_worker() for _ in range(workers)]
    for worker in crew:
        make.answer(worker, make.take(worker, batch, 26), "cat")
    score()
    return batch, crew


@pytest.mark.django_db
def test_a_key_that_good_workers_fail_is_taken_out_with_what_it_did_to_them() -> None:
    batch, crew = wrong_key_batch()
    before = [known(worker, batch) for worker in crew]
    assert all(evidence == 26 and beta > 1 for _, beta, evidence in before)
    assert audit() == 26
    assert {state for name, state in states(batch).items() if name != "wrong"} == {"live"}
    assert states(batch)["wrong"] == "flagged"
    assert [known(worker, batch) for worker in crew] == [(27.0, 1.0, 25)] * 4
    assert told() == 1
    late = make.make_worker()
    assert "a wrong one" not in [lease.data["text"] for lease in make.take(late, batch, 28)]
    assert audit() == 0
    assert [f.name for f in check_promises() if f.violations] == []


@pytest.mark.django_db
def test_what_a_flagged_key_said_counts_again_once_it_is_confirmed() -> None:
    batch, crew = wrong_key_batch()
    before = [known(worker, batch) for worker in crew]
    audit()
    for _ in range(2):
        with one_transaction(principal="test"):
            confirm_key(batch_id=batch.pk, tasks=["wrong"])
    assert states(batch)["wrong"] == "live"
    assert [known(worker, batch) for worker in crew] == before
    with one_transaction(principal="test"), acting_as("gold_reader"):
        assert rows("SELECT kind, round, count(*) FROM reputation_outcome o JOIN batches_task t ON t.id = o.task_id"
                    " WHERE external_id = 'wrong' AND kind <> 'answer' GROUP BY 1, 2 ORDER BY 1, 2") == [
            ("gold", 0, 4), ("gold", 1, 4), ("undo", 0, 4)
        ]  # fmt: skip
    assert [f.name for f in check_promises() if f.violations] == []


@pytest.mark.django_db
def test_a_confirmed_key_is_flagged_again_by_new_failures_and_not_by_the_old_ones(clock: Forward) -> None:
    batch, _ = wrong_key_batch(overlap=12)
    audit()
    clock(timedelta(seconds=1))
    with one_transaction(principal="test"):
        confirm_key(batch_id=batch.pk, tasks=["wrong"])
    for failures in (1, 2, 3):
        clock(timedelta(seconds=1))
        late = make.make_worker()
        make.answer(late, make.take(late, batch, 26), "cat")
        score()
        audit()
        assert states(batch)["wrong"] == ("live" if failures < FAILURES_MIN else "flagged"), failures
    assert [f.name for f in check_promises() if f.violations] == []


@pytest.mark.django_db
def test_a_retired_key_is_shown_to_nobody_and_counts_for_nobody() -> None:
    batch, crew = wrong_key_batch()
    audit()
    for _ in range(2):
        with one_transaction(principal="test"):
            retire_key(batch_id=batch.pk, tasks=["wrong", "g0"])
    assert (states(batch)["wrong"], states(batch)["g0"]) == ("retired", "retired")
    assert [known(worker, batch) for worker in crew] == [(26.0, 1.0, 24)] * 4
    assert [f.name for f in check_promises() if f.violations] == []


@pytest.mark.django_db
def test_an_answer_to_a_key_that_was_taken_out_meanwhile_is_not_judged() -> None:
    batch = make.make_batch(tasks=1, gold=1, gold_policy=ALWAYS)
    worker = make.make_worker()
    lease = make.take(worker, batch)[0]
    with one_transaction(principal="test"):
        retire_key(batch_id=batch.pk, tasks=["g0"])
        submit(
            worker_id=worker.pk,
            page=[Submission(lease.id, lease.token, {"label": "dog"})],
            then_claim=None,
            chance=Random(1),
        )
    score()
    assert known(worker, batch) == (PRIOR.alpha, PRIOR.beta, 0)


@pytest.mark.django_db
def test_the_requester_sees_what_was_said_instead() -> None:
    batch, _ = wrong_key_batch()
    with one_transaction(principal="test"):
        page = {key.task: key for key in keys_page(batch, state=None, after_id=0, limit=100)}
    wrong, right = page["wrong"], page["g0"]
    assert (wrong.judged, wrong.passed, wrong.instead, wrong.instead_answers) == (4, 0, {"label": "cat"}, 4)
    assert (right.judged, right.passed, right.instead) == (4, 4, None)
    assert wrong.low < wrong.high < 0.6
    assert right.low > 0.4


def test_three_good_workers_condemn_a_key_and_two_do_not() -> None:
    assert suspicious([Met(0.0, GOOD)] * 3)[0]
    assert not suspicious([Met(0.0, GOOD)] * 2)[0]


def test_strangers_and_bad_workers_condemn_nothing() -> None:
    assert not suspicious([Met(0.0, PRIOR)] * 50)[0]
    assert not suspicious([Met(0.0, Posterior(10, 30))] * 50)[0]


def test_a_hard_key_that_most_good_workers_get_right_stays() -> None:
    assert not suspicious([Met(0.0, GOOD)] * 3 + [Met(1.0, GOOD)] * 40)[0]


def test_partial_credit_is_no_failure() -> None:
    assert not suspicious([Met(0.6, GOOD)] * 10)[0]


def test_a_verdict_does_not_speak_against_its_own_witness() -> None:
    assert without(Posterior(5.0, 3.0), 0.0) == Posterior(5.0, 2.0)
    assert without(PRIOR, 1.0) == PRIOR


@given(st.lists(st.floats(0, 1), max_size=12))
def test_the_tail_falls_from_one_to_nothing(probabilities: list[float]) -> None:
    tails = [tail(probabilities, count) for count in range(len(probabilities) + 2)]
    assert tails[0] == pytest.approx(1.0)
    assert tails[-1] == 0
    assert all(before >= after - 1e-12 for before, after in pairwise(tails))


def test_the_tail_of_fair_coins_is_that_of_the_binomial() -> None:
    assert tail([0.5] * 10, 8) == pytest.approx(56 / 1024)


def test_a_verdict_that_is_written_beside_the_audit_of_its_key_is_looked_at_afterwards(committed: str) -> None:
    batch, _ = wrong_key_batch()
    late = make.make_worker()
    make.answer(late, make.take(late, batch, 26), "cat")
    with ThreadPoolExecutor(1) as beside, one_transaction(principal="score"):
        assert score_due() == 26
        beside.submit(lambda: (audit(), connection.close())).result()
    audit()
    assert states(batch)["wrong"] == "flagged"
    assert known(late, batch)[2] == 25
    assert [f.name for f in check_promises() if f.violations] == []
