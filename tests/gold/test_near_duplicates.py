"""Gold that is as good as the same as gold that workers have met is not used (R38)."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.batches.models import Batch
from marketplace.batches.simhash import ALIKE_BITS, distance, simhash
from marketplace.common.database import rows, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.projects.models import Project
from tests import factories as make
from workers.gold.commands.audit import confirm_key, retire_key
from workers.gold.commands.supply import Candidate, offer_keys
from workers.gold.errors import KeyStays
from workers.gold.queries import KeyView, keys_page

ALWAYS = {"min_share": 1.0, "max_share": 1.0, "probation": 0, "probation_share": 1.0}
LONG = " ".join(f"word{number}" for number in range(300))
WORDS = st.lists(st.sampled_from([f"w{n}" for n in range(40)]), min_size=1, max_size=30)


def gold_batch(project: Project, *texts: str, plain: int = 3) -> Batch:
    draft = make.make_draft(project, gold=ALWAYS)
    known = [{"external_id": f"g{n}", "data": {"text": text}, "gold": {"label": "cat"}} for n, text in enumerate(texts)]
    make.add_rows(draft, [*make.rows(plain), *known])
    return make.published(draft)


def keys(batch: Batch) -> dict[str, KeyView]:
    with one_transaction(principal="test"):
        return {key.task: key for key in keys_page(batch, state=None, after_id=0, limit=100)}


def met_by(batch: Batch) -> list[str]:
    return [str(lease.data["text"]) for lease in make.take(make.make_worker(), batch, 5)]


@pytest.mark.django_db
def test_a_key_like_one_that_was_shown_waits_and_the_requester_is_told_why() -> None:
    project = make.make_project()
    first = gold_batch(project, "The quick brown fox")
    assert "The quick brown fox" in met_by(first)
    second = gold_batch(project, "the QUICK, brown fox!", "something else altogether")
    assert {name: key.state for name, key in keys(second).items()} == {"g0": "waiting", "g1": "live"}
    assert (keys(second)["g0"].why, keys(second)["g0"].alike) == ("alike", "g0")
    assert "the QUICK, brown fox!" not in met_by(second)
    with pytest.raises(KeyStays), one_transaction(principal="test"):
        confirm_key(batch_id=second.pk, tasks=["g0"])
    assert [f.name for f in check_promises() if f.violations] == []


@pytest.mark.django_db
def test_two_like_each_other_in_one_file_are_one_key() -> None:
    batch = gold_batch(make.make_project(), LONG, LONG + " end", "another")
    states = [key.state for key in keys(batch).values()]
    assert sorted(states[:2]) == ["live", "waiting"]
    assert states[2] == "live"


@pytest.mark.django_db
def test_another_project_and_a_key_that_nobody_met_do_not_count() -> None:
    project = make.make_project()
    never_met = gold_batch(project, "The quick brown fox")
    with one_transaction(principal="test"):
        retire_key(batch_id=never_met.pk, tasks=["g0"])
    assert keys(gold_batch(project, "The quick brown fox"))["g0"].state == "live"
    assert keys(gold_batch(make.make_project(), "The quick brown fox"))["g0"].state == "live"


@pytest.mark.django_db
def test_a_task_like_a_key_that_was_shown_does_not_become_gold() -> None:
    project = make.make_project()
    met_by(gold_batch(project, "animal 0"))
    batch = make.make_batch(tasks=3, project=project, gold_policy=ALWAYS)
    ids = dict(rows("SELECT external_id, id FROM batches_task WHERE batch_id = %s", [batch.pk]))
    with one_transaction(principal="test"):
        found = [Candidate(ids[name], {"label": "cat"}, 1.0) for name in ("t0", "t1")]
        assert offer_keys(batch_id=batch.pk, found=found) == 1
    assert list(keys(batch)) == ["t1"]


@pytest.mark.django_db
@given(st.integers(-(2**63), 2**63 - 1), st.lists(st.integers(0, 63), min_size=0, max_size=ALIKE_BITS, unique=True))
@settings(max_examples=40)
def test_hashes_that_differ_in_three_bits_share_a_quarter(one: int, flipped: list[int]) -> None:
    bits = one & (2**64 - 1)
    for bit in flipped:
        bits ^= 1 << bit
    other = bits - 2**64 if bits >= 2**63 else bits
    assert distance(one, other) == len(flipped)
    assert value("SELECT batches_bands(CAST(%s AS bigint)) && batches_bands(CAST(%s AS bigint))", [one, other])
    assert value("SELECT bit_count((CAST(%s AS bigint) # CAST(%s AS bigint))::bit(64))", [one, other]) == len(flipped)


def test_case_punctuation_and_field_names_do_not_count() -> None:
    assert simhash({"a": "Ein Hund, im Park"}) == simhash({"b": "ein  hund im PARK."})
    assert simhash({"a": "ﬁne Café"}) == simhash({"a": "fine Café"})
    assert simhash({}) == simhash({"a": None}) == 0


def test_short_different_texts_are_far_from_each_other() -> None:
    hashes = [simhash({"text": f"known animal {number}"}) for number in range(300)]
    assert min(distance(one, other) for one, other in combinations(hashes, 2)) > ALIKE_BITS


def test_a_word_added_to_a_long_text_leaves_it_alike() -> None:
    assert distance(simhash({"text": LONG}), simhash({"text": LONG + " end"})) <= ALIKE_BITS


@given(WORDS)
def test_a_hash_is_one_of_64_bits_and_the_same_each_time(words: list[str]) -> None:
    text = " ".join(words)
    assert simhash({"x": text}) == simhash({"x": text})
    assert -(2**63) <= simhash({"x": text}) < 2**63
