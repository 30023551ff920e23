"""All workers of a batch collude: they pool what they were shown, count repetitions and cluster payloads (R38).

The attack is that of Checco, Bates and Demartini ("Adversarial attacks on crowdsourcing quality control", 2020,
doi:10.1613/jair.1.11332), who unmasked 67 % of the gold of a market that shows twenty items again and again.
"""

import re
from collections import Counter, defaultdict
from random import Random

import pytest

from marketplace.batches.models import Batch
from marketplace.batches.simhash import ALIKE_BITS, distance, simhash
from marketplace.common.database import acting_as, rows
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.conftest import owner_connection
from workers.assignments.commands.leases import return_lease
from workers.assignments.errors import NothingToClaim
from workers.gold.commands import score_due
from workers.gold.commands.supply import Candidate, offer_keys
from workers.profiles.models import Worker

POLICY = {"min_share": 0.10, "max_share": 0.10, "probation": 20, "probation_share": 0.20}
CREW, PLACES, PAGE, OVERLAP = 12, 40, 5, 3


def run_batch() -> tuple[Batch, dict[int, list[str]]]:
    """What each of the crew was shown, in order, in a batch whose gold runs short and is filled up by the crowd."""
    batch = make.make_batch(tasks=400, gold=12, overlap=OVERLAP, gold_policy=POLICY)
    crew = [make.make_worker() for _ in range(CREW)]
    shown: dict[int, list[str]] = defaultdict(list)
    for turn in range(PLACES // PAGE):
        for worker in crew:
            shown[worker.pk] += page(worker, batch, seed=turn * CREW + worker.pk)
        refill(batch)
    return batch, shown


def page(worker: Worker, batch: Batch, seed: int) -> list[str]:
    try:
        leases = make.take(worker, batch, PAGE, seed=seed)
    except NothingToClaim:
        return []
    make.answer(worker, leases)
    return [str(lease.data["text"]) for lease in leases]


def refill(batch: Batch) -> None:
    """The consensus is sure of every task that two have answered."""
    found = rows(
        "SELECT task_id FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id"
        " WHERE a.state = 'submitted' AND t.taken < t.overlap GROUP BY task_id HAVING count(*) >= 2"
    )
    with one_transaction(principal="consensus"):
        offer_keys(batch_id=batch.pk, found=[Candidate(row[0], {"label": "cat"}, 0.995) for row in found])
    with one_transaction(principal="score"):
        while score_due():
            pass


def gold_showings(batch: Batch) -> set[tuple[int, str]]:
    """(worker, text) of what was really gold when it was shown."""
    with one_transaction(principal="test"), acting_as("gold_reader"):
        keys = rows("SELECT task_id, origin, added_at::text FROM batches_goldkey WHERE batch_id = %s", [batch.pk])
    since = {task: "" if origin == "requester" else added for task, origin, added in keys}
    return {
        (worker, text)
        for worker, task, text, leased in rows(
            "SELECT a.worker_id, a.task_id, p.data->>'text', a.leased_at::text FROM assignments_assignment a"
            " JOIN batches_payload p ON p.task_id = a.task_id WHERE a.batch_id = %s",
            [batch.pk],
        )
        if task in since and leased > since[task]
    }


def precision(guesses: set[tuple[int, str]], gold: set[tuple[int, str]]) -> float:
    return len(guesses & gold) / len(guesses)


@pytest.mark.django_db
def test_what_everybody_knows_together_identifies_no_gold() -> None:
    batch, shown = run_batch()
    gold = gold_showings(batch)
    showings = {(worker, text) for worker, texts in shown.items() for text in texts}
    base = len(gold) / len(showings)
    assert 0.03 <= base <= 0.20
    assert gold <= showings

    # Nobody meets anything twice, and nothing is met by more people than a task has places: a certain sign would be
    # either of these.
    assert all(len(texts) == len(set(texts)) for texts in shown.values())
    seen = Counter(text for texts in shown.values() for text in texts)
    certain = {text for text, times in seen.items() if times > OVERLAP}
    assert certain == set()

    # Clusters of near-duplicates: gold shown under another guise.
    texts = sorted(seen)
    hashes = {text: simhash({"text": text}) for text in texts}
    clustered = {
        one for one in texts for other in texts if one != other and distance(hashes[one], hashes[other]) <= ALIKE_BITS
    }
    assert clustered == set()

    # The best of the heuristics that count: how often something was met, by how many on the same page position, how
    # early, and how far apart the meetings were. Each names as many as there is gold, or all of a count.
    heuristics: dict[str, set[tuple[int, str]]] = {}
    for times in set(seen.values()):
        heuristics[f"met {times} times"] = {(worker, text) for worker, text in showings if seen[text] == times}
    for place in range(PAGE):
        heuristics[f"place {place} of a page"] = {
            (worker, text) for worker, all_of in shown.items() for at, text in enumerate(all_of) if at % PAGE == place
        }
    allowed = {name: _allowed(base, len(guesses)) for name, guesses in heuristics.items()}
    found = {name: precision(guesses, gold) for name, guesses in heuristics.items() if guesses}
    assert all(rate <= allowed[name] for name, rate in found.items()), (base, found)
    assert [f.name for f in check_promises() if f.violations] == []


def _allowed(base: float, guesses: int) -> float:
    """The base rate, two points, and three standard deviations of so many guesses."""
    return base + 0.02 + 3 * (base * (1 - base) / guesses) ** 0.5


def test_on_the_schedule_alone_and_at_scale_no_rule_of_positions_beats_the_base_rate() -> None:
    """A thousand workers pool at which of their positions they would have met gold, told by an oracle afterwards, and
    use it on a thousand others: what a position tells within a phase is nothing."""
    from workers.gold.injection import Policy, Schedule, advance

    def flags(seed: int) -> list[bool]:
        schedule, draws, found = Schedule(), Random(seed), []
        for _ in range(100):
            page, schedule = advance(schedule, 1, Policy(), 0.3, draws)
            schedule = schedule.take(1)
            found += page
        return found

    learned = [flags(seed) for seed in range(1_000)]
    others = [flags(seed) for seed in range(1_000, 2_000)]
    for start, end in ((0, 20), (20, 60), (60, 100)):
        rate = [sum(one[at] for one in learned) for at in range(start, end)]
        best = start + rate.index(max(rate))
        base = sum(sum(one[start:end]) for one in others) / (1_000 * (end - start))
        assert sum(one[best] for one in others) / 1_000 <= base + 0.02 + 3 * (base / 1_000) ** 0.5
        # After one gold the next position is no likelier than others: nor is it spared.
        pairs = [one[at] for one in others for at in range(start + 1, end) if one[at - 1]]
        assert sum(pairs) / len(pairs) <= base + 0.02


@pytest.mark.parametrize("damage", ["retired", "cap"])
@pytest.mark.parametrize("policy", [{**POLICY, "probation_share": 1.0}, {**POLICY, "probation_share": 0.5}])
def test_without_a_wall_the_checkers_see_gold_shown_that_must_not_be(
    committed: str, policy: dict[str, float], damage: str
) -> None:
    """Two mutants: a key that was retired is picked, and the cap is not looked at."""
    wall = r" AND (g\.)?state = 'live'" if damage == "retired" else r" AND (g\.)?shown < (g\.)?cap"
    with owner_connection(committed) as owner:
        for name in ("assignments_gold_near", "assignments_pick_gold", "assignments_pick_any_gold"):
            [text] = owner.execute(f"SELECT pg_get_functiondef('{name}'::regproc)").fetchone()  # type: ignore[misc]
            text, times = re.subn(wall, "", text)
            assert times >= 1
            owner.execute(text)
        owner.execute("DROP TRIGGER key_step ON batches_goldkey; DROP INDEX gold_supply")
        owner.execute("ALTER TABLE batches_goldkey DROP CONSTRAINT gold_exposure_cap")
        batch = make.make_batch(tasks=6, gold=6, overlap=1, gold_policy=policy)
        if damage == "retired":
            owner.execute("UPDATE batches_goldkey SET state = 'retired', frozen = shown")
    for seed in range(3):
        worker = make.make_worker()
        for lease in make.take(worker, batch, 6, seed=seed):
            # A place of the task opens again: only the cap stands before a second showing.
            with one_transaction(principal="test"):
                return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token)
    assert "inv_r38" in [f.name for f in check_promises() if f.violations]
