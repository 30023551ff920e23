"""What looks for gold finds it where a market gives it away, and nothing where it does not."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.benchmarks.planted import fair_market, show
from tests.benchmarks.trust.collusion import attack, clusters
from tests.benchmarks.trust.metadata import told_apart
from tests.benchmarks.trust.positions import position_tests, uniform
from tests.benchmarks.trust.targets import targets_of
from tests.crowd.story import Given, Show

Market = tuple[list[Show], list[Given]]


@pytest.fixture(scope="module")
def fair() -> Market:
    return fair_market()


def test_a_market_that_tells_nothing_gives_nothing_away(fair: Market) -> None:
    found = attack(*fair, overlap=5)
    assert found.certain_identifications == 0
    assert len(found.best) == 8  # four means in two phases
    assert min(best.p for best in found.best.values()) > 1e-4
    told = told_apart(fair[0])
    assert abs(told.auc - 0.5) < 4 * told.error


def test_gold_that_is_shown_more_often_than_a_task_has_places_is_certain(fair: Market) -> None:
    shows, answers = fair
    draws = Random(1)
    more = [
        show(person, "again", 101, at_s=2000.0 + person, gold=True, draws=draws) for person in range(6)
    ]  # one more than there are places
    found = attack([*shows, *more], answers, overlap=5)
    assert found.certain["shown to more people than a task has places"] == 1
    assert attack([*shows, *more[:5]], answers, overlap=5).certain_identifications == 0


def test_what_happens_to_ordinary_tasks_too_is_not_certain(fair: Market) -> None:
    shows, answers = fair
    draws = Random(1)
    for name, gold in (("again", True), ("reopened", False)):
        shows = [*shows, *(show(p, name, 101, at_s=2000.0 + p, gold=gold, draws=draws) for p in range(6))]
    assert attack(shows, answers, overlap=5).certain["shown to more people than a task has places"] == 0


def test_gold_shown_twice_to_one_person_is_certain(fair: Market) -> None:
    shows, answers = fair
    gold = next(shown for shown in shows if shown.gold)
    again = show(gold.person, gold.question, 101, at_s=2000.0, gold=True, draws=Random(1))
    assert attack([*shows, again], answers, overlap=5).certain["shown twice to one person"] == 1


def test_gold_copied_under_another_name_is_found_by_its_text(fair: Market) -> None:
    shows, answers = fair
    original = next(shown for shown in shows if shown.gold)
    text = original.lease.data["text"] + " indeed"
    copies = [
        show(
            person, "copy", 101, at_s=2000.0 + person, gold=True, draws=Random(person), text=original.lease.data["text"]
        )
        for person in range(3)
    ]
    assert attack([*shows, *copies], answers, overlap=9).certain["near-equal to another task"] == 1
    assert len(set(clusters({"one": text, "other": "nothing of that at all in here today"}).values())) == 2


def test_gold_put_between_the_tasks_of_a_queue_is_found_by_its_company() -> None:
    """Everybody walks one queue in its order, and gold is put in between: the weakness of a fixed order."""
    draws = Random(1)
    shows: list[Show] = []
    for person in range(40):
        start, gold = draws.randrange(300), draws.sample(range(60), 60)
        for nth in range(80):
            is_gold = draws.random() < 0.1 and bool(gold)
            name = f"g{gold.pop()}" if is_gold else f"t{(start + nth) % 400}"
            shows.append(show(person, name, nth, at_s=nth * 10.0 + person / 100, gold=is_gold, draws=draws))
    found = attack(shows, [], overlap=40)
    assert found.certain_identifications > 0
    assert found.best["order and time, later"].precision > 0.5


def test_gold_among_tasks_that_all_agree_on_is_found_by_the_answers(fair: Market) -> None:
    """Every task on which the first three agree becomes gold: whoever comes fourth knows."""
    shows, answers = fair
    said: dict[str, list[Given]] = {}
    for given in sorted(answers, key=lambda given: given.at_s):
        said.setdefault(given.question, []).append(given)

    def turned_gold(shown: Show) -> bool:
        before = [given for given in said.get(shown.question, []) if given.at_s < shown.at_s]
        return len(before) >= 3 and len({given.label for given in before}) == 1

    weak = [replace(shown, gold=turned_gold(shown)) for shown in shows]
    found = attack(weak, answers, overlap=5)
    assert found.best["answers, later"].precision > 0.9
    assert found.certain_identifications > 0


@pytest.mark.parametrize(
    "leak",
    [
        lambda lease: {"price_micros": lease.price_micros + 1},
        lambda lease: {"lease_until": lease.lease_until.replace(microsecond=1)},
        lambda lease: {"id": type(lease.id)(int=lease.id.int | 1 << 5)},
        lambda lease: {"draft": {}},
    ],
    ids=["price", "time", "id", "draft"],
)
def test_whatever_differs_beside_the_content_is_told_apart(fair: Market, leak: object) -> None:
    shows = [
        replace(shown, lease=replace(shown.lease, **leak(shown.lease))) if shown.gold else shown for shown in fair[0]
    ]
    assert told_apart(shows).auc > 0.6


def test_gold_that_comes_last_on_its_page_is_told_apart() -> None:
    draws = Random(2)
    shows = [
        show(
            person,
            f"{person} {nth}",
            nth,
            at_s=nth,
            gold=nth % 5 == 4 and draws.random() < 0.4,
            draws=draws,
            page_size=5,
        )
        for person in range(60)
        for nth in range(60)
    ]
    assert told_apart(shows).auc > 0.7
    assert position_tests(shows, range(60))["in_page"].p < 1e-6


def test_uniform_positions_pass_and_the_p_of_many_such_is_itself_uniform() -> None:
    draws = Random(3)
    values = []
    for _ in range(300):
        stretches = [[n in set(draws.sample(range(20), 4)) for n in range(20)] for _ in range(1)]
        stretches += [_stretch(draws, 20, 4) for _ in range(39)]
        values.append(uniform(stretches).p)
    assert sum(p < 0.1 for p in values) / 300 == pytest.approx(0.1, abs=0.05)
    assert sum(p < 0.5 for p in values) / 300 == pytest.approx(0.5, abs=0.1)


def _stretch(draws: Random, size: int, gold: int) -> list[bool]:
    chosen = set(draws.sample(range(size), gold))
    return [n in chosen for n in range(size)]


def test_gold_that_comes_first_fails_the_position_test() -> None:
    """The fault of a platform that calibrates first: gold is likelier in the first ten of twenty."""
    draws = Random(4)
    shows = [
        show(person, f"{person} {nth}", nth, at_s=nth, gold=flag, draws=draws)
        for person in range(40)
        for nth, flag in enumerate(_stretch(draws, 10, 3) + _stretch(draws, 10, 1) + _stretch(draws, 40, 4))
    ]
    tests = position_tests(shows, range(40))
    assert tests["first_ten"].p < 1e-4
    assert tests["probation"].p < 0.01
    assert tests["later"].p > 0.001


def test_only_complete_phases_of_the_named_people_are_tested() -> None:
    draws = Random(5)
    shows = [
        show(person, f"{person} {nth}", nth, at_s=nth, gold=nth == 0, draws=draws)
        for person, length in ((0, 20), (1, 19), (2, 60))
        for nth in range(length)
    ]
    tests = position_tests(shows, [0, 1])
    assert (tests["probation"].stretches, tests["later"].stretches) == (1, 0)
    assert position_tests(shows, [2])["later"].stretches == 1


def test_a_miss_is_told_as_a_miss_and_too_little_as_neither() -> None:
    kinds = {
        kind: {"median_answers": middle, "judged": judged}
        for kind, middle, judged in (("random", 31, 5), ("constant", 30, 5), ("sleeper", None, 2))
    }
    results = {
        "metadata": {"auc": 0.54, "error": 0.01},
        "positions": {"probation": {"p": 0.001, "gold": 100}, "later": {"p": 0.5, "gold": 100}},
        "collusion": {
            "certain_identifications": 3,
            "certain": {"shown twice to one person": 0, "later: practised": 3},
            "best": {
                "repetition, later": {"base": 0.1, "precision": 0.5, "flagged": 100, "gold": 50},
                "answers, later": {"base": 0.1, "precision": 0.13, "flagged": 200, "gold": 26},
                "practice, later": {"base": 0.1, "precision": 0.2, "flagged": 10, "gold": 2},
            },
        },
        "detection": {"kinds": kinds, "honest_limited_share": 0.02, "sanctions_incomplete": 1},
        "starved": {"share": 0.1},
        "gold": {"overall": 0.11},
        "accuracy": {"with": {"dawid_skene": 0.9}, "without": {"dawid_skene": 0.95}},
    }
    met = {target.name: target.met for target in targets_of(results)}
    assert met == {
        "AUC on response metadata, within phases": False,
        "positions of gold uniform within phases and pages (p, all tests together)": False,
        "certain identifications by repetition": True,
        "certain identifications by order, time, answers, practice": False,
        "precision of the best list by repetition, later": False,
        "precision of the best list by answers, later": True,
        "precision of the best list by practice, later": None,
        "median until random is limited": False,
        "median until constant is limited": True,
        "median until sleeper is limited": None,
        "honest workers wrongly limited": False,
        "sanctions without reason, evidence, end or appeal": False,
        "good workers starved of work": False,
        "gold share overall": False,
        "accuracy at equal cost (Dawid-Skene), with less without": False,
    }
