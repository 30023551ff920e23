"""What the presets find of a simulated crowd, and how soon (R40): spammers within 30 answers, sleepers within 60 after
they turn, and of the honest at most one in a hundred."""

from statistics import median

import numpy as np
import pytest

from tests.reputation.rules.simulated import TURN, Setting, crowd_of, history, limited_after

NEVER = 10_000
SEEDS = (1, 2, 3)
FOUR = Setting(classes=4)
TWO = Setting(classes=2)
# Who clicks through takes a third of the time.
TWO_IN_HASTE = Setting(classes=2, hurry=0.3)
SKEWED = Setting(classes=4, prior=(0.55, 0.25, 0.15, 0.05))


def delays(kind: str, preset: str, setting: Setting, count: int) -> list[int]:
    """After how many answers each of the workers is limited, over several seeds."""
    crowd = crowd_of(setting)
    found = []
    for seed in SEEDS:
        rng = np.random.default_rng([seed, len(kind)])
        for _ in range(count):
            steps, _accuracy = history(kind, setting, rng)
            limited = limited_after(preset, steps, crowd)
            found.append(NEVER if limited is None else limited[0])
    return found


@pytest.mark.parametrize("preset", ["fast", "balanced", "careful"])
@pytest.mark.parametrize("kind", ["random", "constant"])
@pytest.mark.parametrize(
    "setting", [FOUR, *(pytest.param(one, marks=pytest.mark.slow) for one in (TWO_IN_HASTE, SKEWED))]
)
def test_half_of_the_spammers_are_limited_within_thirty_answers(kind: str, preset: str, setting: Setting) -> None:
    assert median(delays(kind, preset, setting, 20)) <= 30


def test_a_constant_answerer_needs_no_haste_to_be_found_where_two_labels_are_as_frequent() -> None:
    assert median(delays("constant", "balanced", TWO, 20)) <= 20


def test_careful_coin_flips_between_two_labels_take_longer_and_most_are_found() -> None:
    """With two labels a guesser is right half of the time. No test that spares the honest of 0.65 can tell him from
    them within thirty answers of which five are gold: what gives him away sooner is his haste."""
    found = delays("random", "balanced", TWO, 20)
    assert median(found) <= 140 and sum(delay == NEVER for delay in found) <= len(found) / 8


@pytest.mark.parametrize("preset", ["balanced", "careful"])
@pytest.mark.parametrize("setting", [FOUR, TWO_IN_HASTE])
def test_half_of_the_sleepers_are_limited_within_sixty_answers_after_they_turn(preset: str, setting: Setting) -> None:
    found = delays("sleeper", preset, setting, 8)
    assert median(delay for delay in found if delay > TURN) - TURN <= 60
    assert sum(delay <= TURN for delay in found) <= 1


@pytest.mark.parametrize("setting", [FOUR, pytest.param(TWO, marks=pytest.mark.slow)])
def test_of_the_honest_at_most_one_in_a_hundred_is_limited(setting: Setting) -> None:
    found = delays("honest", "balanced", setting, 40)
    assert sum(delay < NEVER for delay in found) <= len(found) / 100


def test_a_consensus_that_is_surer_than_it_should_be_still_spares_the_honest() -> None:
    found = delays("honest", "balanced", Setting(classes=4, overlap=3), 20)
    assert sum(delay < NEVER for delay in found) <= 1
