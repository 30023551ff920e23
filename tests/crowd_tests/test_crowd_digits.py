"""What the demo imports."""

from __future__ import annotations

import pytest

from tests.crowd.digits import NoDigits, interface, load

pytest.importorskip("sklearn", reason="scikit-learn is installed for the demo only")


def test_the_share_of_gold_is_kept_and_only_gold_carries_its_key() -> None:
    digits = load(100, seed=7, gold_share=0.08)

    assert sum(digit.gold for digit in digits) == 8
    assert all(("gold" in digit.row()) == digit.gold for digit in digits)
    assert len({digit.external_id for digit in digits}) == 100
    assert all(digit.data["image"].startswith("data:image/png;base64,") for digit in digits)


def test_the_seed_decides_the_images() -> None:
    assert load(20, seed=1, gold_share=0.1) == load(20, seed=1, gold_share=0.1)
    assert load(20, seed=1, gold_share=0.1) != load(20, seed=2, gold_share=0.1)


@pytest.mark.parametrize("count", [0, 1798])
def test_more_images_than_there_are_is_refused(count: int) -> None:
    with pytest.raises(NoDigits, match="from 1 to 1797"):
        load(count, seed=1, gold_share=0.1)


def test_each_label_has_a_title_a_definition_and_a_key_of_its_own() -> None:
    (choice,) = interface()["answer"]
    labels = choice["labels"]

    assert [label["value"] for label in labels] == [label["hotkey"] for label in labels] == list("0123456789")
    assert all(label["title"] and label["definition"] for label in labels)
