"""When broken tasks are too many: plain numbers."""

import pytest

from workers.assignments.poison import SpikePolicy, completed, is_spike


@pytest.mark.parametrize(
    ("quarantined", "done", "paused"),
    [
        (9, 0, False),  # too few to say anything
        (10, 0, True),
        (10, 40, True),  # exactly a fifth
        (10, 40.5, False),
        (50, 950, False),  # one in twenty
        (600, 400, True),
    ],
)
def test_a_spike_is_many_tasks_and_a_large_share(quarantined: int, done: float, paused: bool) -> None:
    assert is_spike(quarantined=quarantined, done=done) is paused


@pytest.mark.parametrize(("quarantined", "paused"), [(12, False), (23, False), (24, True)])
def test_what_was_seen_before_must_double(quarantined: int, paused: bool) -> None:
    assert is_spike(quarantined=quarantined, done=0, seen=12) is paused


def test_a_policy_says_how_many_and_which_share() -> None:
    strict = SpikePolicy(tasks_min=1, share_min=0.01)
    assert is_spike(quarantined=1, done=99, policy=strict)
    assert not is_spike(quarantined=1, done=99)


def test_tasks_are_done_when_all_their_places_are() -> None:
    assert completed(submitted=3, accepted=2, rejected=1, overlap=3) == 2
