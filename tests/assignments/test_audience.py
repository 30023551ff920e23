"""Who may work on a batch: the audience is asked at every claim, also at the one that follows a submission."""

from random import Random

import pytest

from marketplace.batches.queries import offer_of
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.submit import NextPage, Submission, submit
from workers.assignments.errors import NotEligible
from workers.assignments.models import Assignment

pytestmark = pytest.mark.django_db
PROVEN_OR_NEW = {"any": [{"score": {"min": 0.7}}, {"not": {"score": {"min_evidence": 2}}}]}


def test_a_score_below_the_one_asked_for_is_refused_and_one_above_is_not() -> None:
    batch = make.make_batch(tasks=4, audience={"score": {"min": 0.7}})
    stranger, proven = make.make_worker(), make.make_worker()
    make.judge(proven, batch, 1.0)  # from 2/3 to 3/4
    with pytest.raises(NotEligible, match=r"at least 0\.70"):
        make.take(stranger, batch)
    assert not Assignment.objects.exists()
    assert len(make.take(proven, batch, 2)) == 2


def test_a_stranger_may_show_what_he_can_do_until_there_is_evidence() -> None:
    batch, worker = make.make_batch(tasks=4, audience=PROVEN_OR_NEW), make.make_worker()
    make.judge(worker, batch, 0.0)
    assert len(make.take(worker, batch, 1)) == 1
    make.judge(worker, batch, 0.0)
    with pytest.raises(NotEligible):
        make.take(worker, batch, 2)


def test_what_counts_is_the_score_in_this_project() -> None:
    batch, elsewhere = make.make_batch(tasks=2, audience={"score": {"min": 0.7}}), make.make_batch(tasks=2)
    worker = make.make_worker()
    make.judge(worker, elsewhere, 1.0, 1.0, 1.0)
    with pytest.raises(NotEligible):
        make.take(worker, batch)


def test_a_page_is_stored_though_its_worker_has_fallen_below_the_score_for_the_next() -> None:
    batch, worker = make.make_batch(tasks=4, audience={"score": {"min": 0.6}}), make.make_worker()
    lease = make.take(worker, batch)[0]
    make.judge(worker, batch, 0.0)
    with one_transaction(principal="test"):
        done = submit(
            worker_id=worker.pk,
            page=[Submission(lease.id, lease.token, {"label": "cat"})],
            then_claim=NextPage(offer_of(batch.public_id), 2),
            chance=Random(1),
        )
    assert [outcome.outcome for outcome in done.outcomes] == ["submitted"]
    assert (done.claimed, type(done.claim_problem)) == ([], NotEligible)
