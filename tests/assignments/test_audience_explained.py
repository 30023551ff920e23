"""How many workers an audience lets in and what keeps the others out; and that no count singles anybody out (R43)."""

from collections.abc import Iterable
from typing import Any

import pytest

from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from marketplace.projects.models import Project
from tests import factories as make
from workers.assignments.audience.explanation import Explanation, explain
from workers.profiles.commands.lists import change_list, create_list
from workers.profiles.commands.people import note_device
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
GERMAN, NATIVE = {"country": {"in": ["DE"]}}, {"languages": {"any": ["de"]}}


@pytest.fixture
def project() -> Project:
    return make.make_project()


def crowd(count: int, country: str = "", *languages: str) -> list[int]:
    ids = [make.make_worker().pk for _ in range(count)]
    run("UPDATE profiles_worker SET country = %s, languages = %s WHERE id = ANY(%s)", [country, [*languages], ids])
    return ids


def explained(project: Project, audience: dict[str, Any]) -> Explanation:
    return explain(audience, project_id=project.pk)


def list_of(project: Project, workers: Iterable[int]) -> dict[str, Any]:
    by = project.requester.members.get().user_id
    with one_transaction(principal="test"):
        made = create_list(requester_id=project.requester_id, name=f"list {len(set(workers))}")
    with one_transaction(principal="test"):
        change_list(worker_list=made, add=list(workers), remove=[], by=by)
    return {"list": {"id": str(made.public_id), "member": True}}


def test_it_counts_who_qualifies_and_whom_each_condition_keeps_out_with_others_and_alone(project: Project) -> None:
    crowd(12, "DE", "de-DE")
    crowd(20, "FR", "de")
    crowd(6, "DE", "fr")
    crowd(7, "FR", "fr")
    told = explained(project, {"all": [NATIVE, GERMAN]})
    # Country and language are counted apart: 32 of 45 speak it, 18 of 45 live there, and 32 × 18 / 45 = 12.8.
    assert (told.qualify, told.of, told.estimate) == (13, 45, True)
    assert [(one.path, one.rule, one.workers, one.only_by_this) for one in told.excluded_by] == [
        ("audience.all[1].country", "country", 27, 19),
        ("audience.all[0].languages", "languages", 13, 5),
    ]
    assert told.excluded_by[0].words == "a country among DE"
    assert told.text == "About 13 of 45 workers qualify; most are excluded by country."
    alone = explained(project, GERMAN)
    assert (alone.qualify, alone.estimate) == (18, False)
    assert alone.text == "18 of 45 workers qualify; most are excluded by country."


def test_an_alternative_keeps_out_as_one_condition(project: Project) -> None:
    crowd(12, "DE")
    crowd(6, "FR", "de")
    crowd(7, "FR")
    told = explained(project, {"any": [NATIVE, GERMAN]})
    assert (told.qualify, told.of) == (15, 25)
    assert [(one.path, one.rule, one.workers) for one in told.excluded_by] == [
        ("audience.any", "languages or country", 10)
    ]


def test_everybody_qualifies_where_nothing_is_asked(project: Project) -> None:
    crowd(6)
    told = explained(project, {})
    assert (told.qualify, told.of, told.excluded_by, told.text) == (6, 6, [], "6 of 6 workers qualify.")
    assert explain({}, project_id=0).of == 6


def test_closed_accounts_are_not_counted(project: Project) -> None:
    closed = Worker.objects.get(pk=crowd(9, "DE")[0])
    closed.user.is_active = False
    closed.user.save()
    assert explained(project, GERMAN).of == 8


def test_to_make_somebody_a_member_changes_no_count(project: Project) -> None:
    """Whoever knows an e-mail may add its account: the counts before and after must not tell whose profile that is."""
    picked = crowd(20, "DE", "de")
    audiences = [GERMAN, NATIVE, {"any": [NATIVE, GERMAN]}, list_of(project, picked)]
    before = [explained(project, audience) for audience in audiences]
    project.requester.members.create(user=Worker.objects.get(pk=picked[0]).user, role="viewer")
    assert [explained(project, audience) for audience in audiences] == before


def test_no_two_attributes_are_counted_of_the_same_people(project: Project) -> None:
    """One worker lives in NL; whether it is he who speaks nl must not move any count."""
    crowd(19, "DE", "fr")
    [target], [stranger] = crowd(1, "NL"), crowd(1, "DE")
    tracker = {"any": [{"languages": {"any": ["fr"]}}, {"all": [{"country": {"in": ["NL"]}}, NATIVE]}]}
    told = []
    for speaker in (target, stranger):
        run("UPDATE profiles_worker SET languages = '{de}' WHERE id = %s", [speaker])
        told.append(explained(project, tracker))
        run("UPDATE profiles_worker SET languages = '{}' WHERE id = %s", [speaker])
    assert told[0] == told[1]


def test_a_device_that_was_never_seen_keeps_nobody_out(project: Project) -> None:
    for worker_id in crowd(6):
        with one_transaction(principal="test"):
            note_device(worker_id=worker_id, device="desktop")
    crowd(5)
    told = explained(project, {"device": {"in": ["phone"]}})
    assert (told.qualify, told.excluded_by[0].workers) == (5, 6)


@pytest.mark.parametrize(("inside", "qualify", "outside"), [(0, None, 20), (4, None, 20), (5, 5, 15), (16, 20, None)])
def test_fewer_than_five_and_all_but_fewer_than_five_are_not_told_apart(
    project: Project, inside: int, qualify: int | None, outside: int | None
) -> None:
    crowd(inside, "DE")
    crowd(20 - inside, "FR")
    told = explained(project, GERMAN)
    assert (told.qualify, told.excluded_by[0].workers) == (qualify, outside)
    if qualify is None:
        assert told.text == "Fewer than 5 of 20 workers qualify; most are excluded by country."


def test_no_count_says_what_the_profile_of_a_picked_worker_says(project: Project) -> None:
    """A requester who knows all on his list but one learns nothing of that one: his country moves the figures as the
    country of anybody else would."""
    picked = crowd(8, "DE")
    target, stranger = crowd(2, "FR")
    crowd(30, "DE")
    audience = {"all": [list_of(project, [*picked, target]), GERMAN]}
    figures = []
    for moved in (target, stranger):
        run("UPDATE profiles_worker SET country = 'DE' WHERE id = %s", [moved])
        told = explained(project, audience)
        figures.append((told, told.estimate))
        run("UPDATE profiles_worker SET country = 'FR' WHERE id = %s", [moved])
    assert figures[0] == figures[1]
    assert figures[0][1]
    assert figures[0][0].text.startswith("About 9 of 40 workers qualify")


def test_what_the_requester_picked_himself_is_counted_as_it_is(project: Project) -> None:
    first, second = crowd(9), crowd(6)
    crowd(7)
    audience = {"all": [list_of(project, first + second), {"not": list_of(project, second)}]}
    told = explained(project, audience)
    assert (told.qualify, told.of, told.estimate) == (9, 22, False)
    assert [one.words for one in told.excluded_by] == ["a place on the list “list 15”", "no place on the list “list 6”"]
