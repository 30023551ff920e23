"""The form of an audience: what is right is stored as it is, and every error names its place."""

from typing import Any
from uuid import uuid4

import pytest

from marketplace.batches.audience import DEPTH_MAX, LEAVES_MAX, PARTS_MAX, audience_errors
from marketplace.batches.errors import TermsInvalid
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.profiles.commands.lists import create_list
from workers.profiles.commands.skills import create_skill

pytestmark = pytest.mark.django_db
FINE: dict[str, Any] = {"country": {"in": ["DE"]}}
ID = "00000000-0000-4000-8000-000000000000"


def wrong(audience: Any) -> list[str]:
    return [error["field"] for error in audience_errors(audience, requester_id=0)]


def nested(depth: int) -> dict[str, Any]:
    return FINE if depth == 0 else {"not": nested(depth - 1)}


@pytest.mark.parametrize(
    "audience",
    [
        {},
        FINE,
        {"country": {"not_in": ["US", "CA"]}},
        {"languages": {"any": ["de", "pt-BR"]}},
        {"languages": {"all": ["zh-Hant-TW"]}},
        {"device": {"in": ["phone", "tablet", "desktop"]}},
        {"content": {"agrees": ["violence", "self_harm"]}},
        {"account_age": {"min_days": 0}},
        {"account_age": {"min_days": 1, "max_days": 1}},
        {"score": {"min": 0, "max": 1, "min_evidence": 0}},
        {"score": {"min_evidence": 5}},
        {"all": [FINE, {"any": [FINE, {"not": FINE}]}]},
        {"all": [FINE] * PARTS_MAX},
        nested(DEPTH_MAX),
    ],
)
def test_what_is_right_is_stored_as_it_was_given(audience: dict[str, Any]) -> None:
    assert wrong(audience) == []
    assert Batch.objects.get(pk=make.make_draft(audience=audience).pk).audience == audience


@pytest.mark.parametrize(
    ("audience", "places"),
    [
        (None, ["audience"]),
        ([], ["audience"]),
        ({"min_score": 0.5}, ["audience.min_score"]),
        ({"country": {"in": ["DE"]}, "score": {"min": 0.5}}, ["audience"]),
        ({"all": []}, ["audience.all"]),
        ({"all": {}}, ["audience.all"]),
        ({"all": [{}]}, ["audience.all[0]"]),
        ({"not": {}}, ["audience.not"]),
        ({"not": [FINE]}, ["audience.not"]),
        ({"all": [FINE] * (PARTS_MAX + 1)}, ["audience.all"]),
        ({"any": [{"all": [FINE] * 16}, {"all": [FINE] * (LEAVES_MAX - 15)}]}, ["audience"]),
        (nested(DEPTH_MAX + 1), ["audience" + ".not" * (DEPTH_MAX + 1)]),
        ({"all": [FINE, {"country": {"in": ["DEU"]}}]}, ["audience.all[1].country.in[0]"]),
        ({"country": {"in": ["de"]}}, ["audience.country.in[0]"]),
        ({"country": {"in": ["DE\n"]}}, ["audience.country.in[0]"]),
        ({"country": {"in": "DE"}}, ["audience.country.in"]),
        ({"country": {"in": ["DE"], "not_in": ["US"]}}, ["audience.country"]),
        ({"country": {}}, ["audience.country"]),
        ({"country": ["DE"]}, ["audience.country"]),
        ({"country": {"in": ["DE"], "user__password": 1}}, ["audience.country.user__password"]),
        ({"languages": {"any": ["d", "de_AT", "%", 5]}}, [f"audience.languages.any[{at}]" for at in range(4)]),
        ({"languages": {"any": ["de"], "all": ["de"]}}, ["audience.languages"]),
        ({"device": {"in": ["phone", "watch"]}}, ["audience.device.in[1]"]),
        ({"content": {"agrees": ["kittens"]}}, ["audience.content.agrees[0]"]),
        ({"content": {}}, ["audience.content"]),
        ({"account_age": {}}, ["audience.account_age"]),
        ({"account_age": {"min_days": 1.5}}, ["audience.account_age.min_days"]),
        ({"account_age": {"min_days": True}}, ["audience.account_age.min_days"]),
        ({"account_age": {"min_days": 2, "max_days": 1}}, ["audience.account_age.min_days"]),
        ({"account_age": {"max_days": 10**9}}, ["audience.account_age.max_days"]),
        ({"score": {}}, ["audience.score"]),
        ({"score": {"min": "0.5"}}, ["audience.score.min"]),
        ({"score": {"min": float("nan")}}, ["audience.score.min"]),
        ({"score": {"min": 0.5, "max": 0.4}}, ["audience.score.min"]),
        ({"score": {"min_evidence": 1_001}}, ["audience.score.min_evidence"]),
        ({"score": {"min_evidence": None}}, ["audience.score.min_evidence"]),
        ({"skill": {"id": "x", "min": 2}}, ["audience.skill.id", "audience.skill.min"]),
        ({"skill": {}}, ["audience.skill.id"]),
        ({"skill": {"id": ID.replace("-", "")}}, ["audience.skill.id"]),
        ({"qualification": {"id": [ID]}}, ["audience.qualification.id"]),
        ({"qualification": {"id": ID, "min": 0.5}}, ["audience.qualification.min"]),
        ({"list": {"id": 5, "member": 1}}, ["audience.list.id", "audience.list.member"]),
        ({"batch": {"id": ID, "min_accepted": 0}}, ["audience.batch.min_accepted"]),
        ({"x" * 1_000: {}}, [("audience." + "x" * 1_000)[:300]]),
    ],
)
def test_every_error_names_its_place(audience: Any, places: list[str]) -> None:
    assert wrong(audience) == places


def test_the_errors_of_an_audience_are_bounded() -> None:
    assert len(wrong({"country": {"in": ["DE"], **{str(n): 1 for n in range(5_000)}}})) == 100


def test_what_an_audience_refers_to_is_the_requesters_own_and_of_its_kind() -> None:
    project, theirs = make.make_project(), make.make_project()
    references = {}
    for of in (project, theirs):
        with one_transaction(principal="test"):
            skill = create_skill(requester_id=of.requester_id, kind="skill", name="Reads")
        with one_transaction(principal="test"):
            exam = create_skill(requester_id=of.requester_id, kind="qualification", name="Passed")
        with one_transaction(principal="test"):
            friends = create_list(requester_id=of.requester_id, name="Friends")
        batch = make.make_batch(tasks=1, project=of)
        references[of.pk] = {
            "skill": {"id": str(skill.public_id)},
            "qualification": {"id": str(exam.public_id)},
            "list": {"id": str(friends.public_id), "member": True},
            "batch": {"id": str(batch.public_id)},
        }
    own, foreign = references[project.pk], references[theirs.pk]
    make.make_draft(project, audience={"all": [{name: terms} for name, terms in own.items()]})
    nobodys = {name: {**terms, "id": str(uuid4())} for name, terms in own.items()}
    mixed = {**own, "skill": own["qualification"], "qualification": own["skill"]}
    for leaves, bad in ((foreign, list(own)), (nobodys, list(own)), (mixed, ["skill", "qualification"])):
        with pytest.raises(TermsInvalid) as refused:
            make.make_draft(project, audience={"any": [{name: terms} for name, terms in leaves.items()]})
        named = [error["field"] for error in refused.value.facts["errors"]]
        assert named == [f"audience.any[{list(own).index(name)}].{name}.id" for name in bad]
