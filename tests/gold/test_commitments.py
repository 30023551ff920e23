"""Keys are committed to before anybody meets them; what was committed to can be checked afterwards."""

import pytest

from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.gold.commitment import Opening, leaf_of, paths_of, root_of, verify
from workers.gold.queries import openings_page, roots_of

pytestmark = pytest.mark.django_db


def test_every_key_of_a_batch_opens_to_its_root_and_no_other_does() -> None:
    batch = make.make_batch(tasks=5, gold=3)
    (root,) = roots_of(batch.pk, whole_hours=True)
    with one_transaction(principal="test"):
        opened = openings_page(batch.pk, after_id=0, limit=10)
    assert [one.task for one in opened] == ["g0", "g1", "g2"]
    for one in opened:
        good = {"root": root.root, "leaves": root.leaves, "opening": one.opening}
        assert verify(**good, external_id=one.task, key={"label": "cat"})
        assert not verify(**good, external_id=one.task, key={"label": "dog"})
        assert not verify(**good, external_id="g9", key={"label": "cat"})
        assert not verify(**{**good, "root": bytes(32)}, external_id=one.task, key=one.key)
        assert not verify(**{**good, "leaves": root.leaves * 2}, external_id=one.task, key=one.key)
        forged = Opening(bytes(32), one.opening.text, one.opening.index, one.opening.path)
        assert not verify(**{**good, "opening": forged}, external_id=one.task, key=one.key)


def test_a_batch_without_gold_is_committed_to_in_the_same_form() -> None:
    without, little, much = (make.make_batch(tasks=5, gold=gold) for gold in (0, 1, 60))
    roots = [root for batch in (without, little, much) for root in roots_of(batch.pk, whole_hours=True)]
    assert [(root.number, len(root.root), root.leaves) for root in roots] == [(1, 32, 256)] * 3
    assert len({root.root for root in roots}) == 3


def test_the_leaves_of_a_large_batch_follow_from_its_tasks() -> None:
    assert roots_of(make.make_batch(tasks=300, gold=2).pk, whole_hours=True)[0].leaves == 512


def test_a_draft_is_committed_to_nothing_yet() -> None:
    draft = make.make_draft()
    make.add_rows(draft, make.rows(1, 1))
    assert roots_of(draft.pk, whole_hours=False) == []
    make.published(draft)
    assert [f.name for f in check_promises() if f.violations] == []


def test_a_tree_over_leaves_proves_each_of_them() -> None:
    leaves = sorted(leaf_of(bytes([n]) * 32, str(n)) for n in range(8))
    for leaf, (index, path) in zip(leaves, paths_of(leaves, leaves), strict=True):
        assert leaves[index] == leaf
        assert len(path) == 3
    with pytest.raises(ValueError, match="no such leaf"):
        paths_of(leaves, [bytes(32)])
    with pytest.raises(ValueError, match="power of two"):
        root_of(leaves[:3])
