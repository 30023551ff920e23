"""Gold from tasks that the crowd is sure of: what is left of them becomes gold, unseen, as far as gold is needed."""

import pytest

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows, run, value
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken
from workers.assignments.commands.decide import apply_due, finish_batch
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.errors import NothingToClaim
from workers.gold.commands import score_due
from workers.gold.commands.audit import confirm_key, retire_key
from workers.gold.commands.supply import Candidate, offer_keys
from workers.gold.errors import KeyStays, NoSuchKey
from workers.gold.queries import keys_page
from workers.profiles.commands import pseudonym_for

pytestmark = pytest.mark.django_db
ALWAYS = {"min_share": 1.0, "max_share": 1.0, "probation": 0, "probation_share": 1.0}
NEVER = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}
CAT = {"label": "cat"}


def task(batch: Batch, name: str) -> int:
    return int(value("SELECT id FROM batches_task WHERE batch_id = %s AND external_id = %s", [batch.pk, name]))


def offer(batch: Batch, *names: str, posterior: float = 0.999, key: dict[str, object] = CAT) -> int:
    with one_transaction(principal="consensus"):
        found = [Candidate(task(batch, name), key, posterior) for name in names]
        return offer_keys(batch_id=batch.pk, found=found)


def keys(batch: Batch) -> dict[str, tuple[str, str, int, int]]:
    with one_transaction(principal="test"):
        page = keys_page(batch, state=None, after_id=0, limit=100)
    return {key.task: (key.origin, key.state, key.shown, key.cap) for key in page}


def queued(batch: Batch) -> int:
    return len(make.queue(batch))


def test_what_is_left_of_a_sure_task_is_shown_as_gold_to_so_many_and_judges_them() -> None:
    batch = make.make_batch(tasks=2, overlap=3, gold_policy=ALWAYS)
    first = make.make_worker()
    text = {lease.data["text"]: lease for lease in make.take(first, batch, 2)}
    make.answer(first, [text["animal 0"]])
    assert offer(batch, "t0") == 1
    assert keys(batch) == {"t0": ("consensus", "live", 0, 2)}
    assert queued(batch) == 1
    for label in ("cat", "dog"):
        worker = make.make_worker()
        leases = make.take(worker, batch, 1)
        assert leases[0].data["text"] == "animal 0"
        make.answer(worker, leases, label)
    assert keys(batch)["t0"] == ("consensus", "live", 2, 2)
    with one_transaction(principal="score"):
        assert score_due() == 3
    with one_transaction(principal="test"), acting_as("gold_reader"):
        # The answer that the key was made of is not judged by it.
        assert rows("SELECT score, given->>'label' FROM gold_verdict ORDER BY score") == [(0.0, "dog"), (1.0, "cat")]
    assert broken() == []


@pytest.mark.parametrize("posterior", [0.5, 0.9899, 1.1, float("nan")])
def test_what_is_not_beyond_doubt_becomes_no_gold(posterior: float) -> None:
    assert offer(make.make_batch(tasks=2, gold_policy=ALWAYS), "t0", posterior=posterior) == 0


@pytest.mark.parametrize(
    ("policy", "wanted"), [(ALWAYS, 1), ({**ALWAYS, "refill": "off"}, 0), ({**ALWAYS, "budget": 0.0}, 0), (NEVER, 0)]
)
def test_gold_is_added_only_where_the_terms_want_it(policy: dict[str, object], wanted: int) -> None:
    assert offer(make.make_batch(tasks=3, gold_policy=policy), "t0") == wanted


TENTH = {"min_share": 0.1, "max_share": 0.1}


def test_no_more_is_added_than_is_used_soon() -> None:
    batch = make.make_batch(tasks=600, overlap=1, gold_policy=TENTH)
    names = [f"t{number}" for number in range(600)]
    assert offer(batch, *names) == 26  # a tenth of the 256 tasks that are looked ahead for
    assert offer(batch, *names) == 0
    assert queued(batch) == 574


def test_of_the_tasks_that_all_agree_on_no_larger_part_becomes_gold_than_of_all() -> None:
    """Else whoever pools answers takes those for gold on which all agree (R38)."""
    batch = make.make_batch(tasks=400, overlap=1, gold_policy=TENTH)
    names = [f"t{number}" for number in range(100)]
    made = offer(batch, *names)
    # Four standard deviations around ten; without the draw all that the batch can use, 26.
    assert 0 < made <= 22
    assert offer(batch, *names) == 0


def test_a_repeat_a_full_task_and_a_wrong_key_change_nothing() -> None:
    batch = make.make_batch(tasks=3, overlap=1, gold_policy=ALWAYS)
    worker = make.make_worker()
    taken = make.take(worker, batch, 1)[0].data["text"]
    full = str(taken).replace("animal ", "t")
    other = next(name for name in ("t0", "t1", "t2") if name != full)
    assert offer(batch, full) == 0
    assert offer(batch, other, key={"label": "cow"}) == 0
    assert offer(batch, other, key={"kind": "cat"}) == 0
    assert offer(batch, other) == 1
    assert offer(batch, other) == 0
    assert broken() == []


def test_a_batch_with_reserved_places_gets_no_gold_from_its_crowd() -> None:
    draft, worker = make.make_draft(gold=ALWAYS), make.make_worker()
    with one_transaction(principal="test"):
        known = pseudonym_for(worker_id=worker.pk, requester_id=draft.requester_id)
    reserved = {"external_id": "r", "data": {"text": "mine"}, "reserved_for": [known]}
    make.add_rows(draft, [*make.rows(2), reserved])
    assert offer(make.published(draft), "t0") == 0


def test_a_place_that_comes_back_of_a_task_that_is_gold_by_now_is_queued_for_nobody() -> None:
    batch = make.make_batch(tasks=1, overlap=3, gold_policy=ALWAYS)
    holder = make.make_worker()
    lease = make.take(holder, batch)[0]
    offer(batch, "t0")
    with one_transaction(principal="test"):
        return_lease(worker_id=holder.pk, assignment=lease.id, token=lease.token)
    assert queued(batch) == 0
    with pytest.raises(NothingToClaim):
        run("UPDATE gold_schedule SET gold_positions = '{}'")
        make.take(holder, batch)
    assert keys(batch)["t0"] == ("consensus", "live", 0, 2)
    assert broken() == []


def test_a_batch_whose_rest_is_gold_is_done_and_gives_the_rest_of_its_money_back() -> None:
    batch = make.make_batch(tasks=2, overlap=2, gold_policy=ALWAYS, auto_accept_s=0)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 2))
    assert not value("SELECT assignments_batch_is_done(%s)", [batch.pk])
    assert offer(batch, "t0", "t1") == 2
    with one_transaction(principal="test"):
        apply_due(batch_id=batch.pk)
    assert value("SELECT assignments_batch_is_done(%s)", [batch.pk])
    with one_transaction(principal="test"):
        close_batch(batch_id=batch.pk)
    with one_transaction(principal="test"):
        settle_due(batch_id=batch.pk)
    for _ in range(3):
        with one_transaction(principal="test"):
            finish_batch(batch_id=batch.pk)
    batch.refresh_from_db()
    assert batch.state == "settled"
    assert value("SELECT sum(amount_micros) FROM ledger_transfer WHERE kind = 'reward'") == 2 * make.PRICE
    assert broken() == []


def test_gold_that_waits_for_the_requester_is_ordinary_work_until_he_agrees() -> None:
    batch = make.make_batch(tasks=2, overlap=3, gold_policy={**ALWAYS, "refill": "confirm"})
    assert offer(batch, "t0") == 1
    assert keys(batch) == {"t0": ("consensus", "waiting", 0, 3)}
    assert queued(batch) == 2
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 2))
    with one_transaction(principal="score"):
        score_due()
    with one_transaction(principal="test"):
        assert confirm_key(batch_id=batch.pk, tasks=["t0"]) == 1
    assert keys(batch) == {"t0": ("consensus", "live", 0, 2)}
    assert queued(batch) == 1
    other = make.make_worker()
    make.answer(other, make.take(other, batch, 1), "dog")
    with one_transaction(principal="score"):
        score_due()
    with one_transaction(principal="test"), acting_as("gold_reader"):
        assert rows("SELECT worker_id, score FROM gold_verdict") == [(other.pk, 0.0)]
    assert broken() == []


def test_gold_that_the_requester_does_not_want_stays_an_ordinary_task() -> None:
    batch = make.make_batch(tasks=2, overlap=2, gold_policy={**ALWAYS, "refill": "confirm"})
    offer(batch, "t0")
    with one_transaction(principal="test"):
        assert retire_key(batch_id=batch.pk, tasks=["t0"]) == 1
    assert queued(batch) == 2
    assert offer(batch, "t0") == 0
    with pytest.raises(KeyStays), one_transaction(principal="test"):
        confirm_key(batch_id=batch.pk, tasks=["t0"])
    assert broken() == []


def test_a_task_that_is_gold_no_more_is_queued_again_and_others_answer_it() -> None:
    batch = make.make_batch(tasks=1, overlap=3, gold_policy=ALWAYS)
    first, second, third = (make.make_worker() for _ in range(3))
    make.answer(first, make.take(first, batch))
    offer(batch, "t0")
    make.answer(second, make.take(second, batch))
    with one_transaction(principal="test"):
        assert retire_key(batch_id=batch.pk, tasks=["t0"]) == 1
    assert queued(batch) == 1
    make.answer(third, make.take(third, batch))
    assert keys(batch)["t0"] == ("consensus", "retired", 1, 2)
    assert queued(batch) == 0
    assert broken() == []


def test_a_task_without_a_key_can_be_neither_confirmed_nor_retired() -> None:
    batch = make.make_batch(tasks=1)
    for decide in (confirm_key, retire_key):
        with pytest.raises(NoSuchKey), one_transaction(principal="test"):
            decide(batch_id=batch.pk, tasks=["t0"])


def test_whoever_has_been_through_all_keys_meets_those_that_are_added_later() -> None:
    batch = make.make_batch(tasks=6, gold=1, overlap=2, gold_policy=ALWAYS)
    worker, other = make.make_worker(), make.make_worker()
    make.answer(worker, make.take(worker, batch, 2))  # the only key, and a task
    done = {row[0] for row in rows("SELECT t.external_id FROM assignments_assignment a JOIN batches_task t"
                                   " ON t.id = a.task_id")}  # fmt: skip
    name = next(f"t{n}" for n in range(6) if f"t{n}" not in done)
    make.take(other, batch, 1)
    offer(batch, name)
    assert make.take(worker, batch, 1)[0].data["text"] == name.replace("t", "animal ")
    assert broken() == []


def test_keys_that_are_added_are_committed_to_by_a_further_root() -> None:
    batch = make.make_batch(tasks=20, gold=1, gold_policy=ALWAYS)
    offer(batch, "t0", "t1")
    offer(batch, "t2")
    with one_transaction(principal="test"), acting_as("gold_reader"):
        assert rows("SELECT sealed, count(*) FROM batches_goldkey GROUP BY 1 ORDER BY 1") == [(1, 1), (2, 2), (3, 1)]
    assert rows("SELECT seq, leaves FROM gold_commitment ORDER BY seq") == [(1, 256), (2, 256), (3, 256)]
