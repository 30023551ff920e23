"""What each condition of an audience asks of a worker, alone and put together, and what he is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.batches.queries import offer_of
from marketplace.common.prepared import prepared
from marketplace.common.transactions import one_transaction
from marketplace.projects.models import Project
from tests import factories as make
from workers.assignments.audience import eligibility, refusal, require_eligible
from workers.assignments.commands.decide import accept_answers
from workers.assignments.errors import NotEligible
from workers.assignments.models import Assignment
from workers.profiles.commands.lists import change_list, create_list
from workers.profiles.commands.people import note_device, update_profile
from workers.profiles.commands.skills import create_skill, grant_skill, revoke_skill
from workers.profiles.models import Skill, Worker, WorkerList

pytestmark = pytest.mark.django_db
Forward = Callable[[timedelta], None]


@dataclass
class Ask:
    """A requester with a project, whose batches ask for things."""

    project: Project = field(default_factory=make.make_project)

    @property
    def by(self) -> int:
        return int(self.project.requester.members.get().user_id)

    def refuses(self, audience: dict[str, Any], worker: Worker, device: str | None = None, **terms: Any) -> str | None:
        batch = make.make_batch(tasks=1, project=self.project, audience=audience, **terms)
        return refusal(batch, worker_id=worker.pk, device=device)

    def skill(self, kind: str = "skill") -> Skill:
        with one_transaction(principal="test"):
            return create_skill(requester_id=self.project.requester_id, kind=kind, name=f"Reads {kind}")

    def grant(self, skill: Skill, worker: Worker, value: float | None = None, life: timedelta | None = None) -> None:
        with one_transaction(principal="test"):
            grant_skill(skill=skill, worker_id=worker.pk, by=self.by, evidence="exam", value=value, life=life)

    def list_of(self, *workers: Worker) -> WorkerList:
        with one_transaction(principal="test"):
            made = create_list(requester_id=self.project.requester_id, name="Scoundrels")
        with one_transaction(principal="test"):
            change_list(worker_list=made, add=[worker.pk for worker in workers], remove=[], by=self.by)
        return made


@pytest.fixture
def ask() -> Ask:
    return Ask()


def worker_of(country: str = "", *languages: str) -> Worker:
    worker = make.make_worker()
    with one_transaction(principal="test"):
        return update_profile(worker_id=worker.pk, country=country, languages=languages)


def test_a_country_is_asked_for_or_excluded_and_an_unnamed_one_is_neither(ask: Ask) -> None:
    austrian, nobody = worker_of("AT"), worker_of()
    among, other = {"country": {"in": ["DE", "AT"]}}, {"country": {"not_in": ["US"]}}
    assert ask.refuses(among, austrian) is None
    assert ask.refuses(other, austrian) is None
    assert ask.refuses({"country": {"in": ["DE"]}}, austrian) == "It asks for a country among DE."
    assert ask.refuses({"country": {"not_in": ["AT"]}}, austrian) == "It asks for a country other than AT."
    assert ask.refuses(among, nobody)
    assert ask.refuses(other, nobody)


@pytest.mark.parametrize(
    ("spoken", "audience", "fits"),
    [
        (["de-AT"], {"any": ["de"]}, True),
        (["de"], {"any": ["de-AT"]}, False),
        (["den"], {"any": ["de"]}, False),
        (["DE-at"], {"any": ["de-AT"]}, True),
        (["fr", "pt-BR"], {"any": ["de", "pt"]}, True),
        (["fr", "pt-BR"], {"all": ["fr", "pt"]}, True),
        (["fr"], {"all": ["fr", "pt"]}, False),
        ([], {"any": ["de"]}, False),
    ],
)
def test_a_language_stands_for_its_regions(ask: Ask, spoken: list[str], audience: dict[str, Any], fits: bool) -> None:
    assert (ask.refuses({"languages": audience}, worker_of("", *spoken)) is None) == fits


def test_the_device_is_the_one_in_hand_or_else_the_last_one_seen_or_else_any(ask: Ask) -> None:
    worker, handheld = make.make_worker(), {"device": {"in": ["phone", "tablet"]}}
    assert ask.refuses(handheld, worker, "desktop") == "It asks for a phone or tablet."
    assert ask.refuses(handheld, worker, "tablet") is None
    assert ask.refuses(handheld, worker) is None
    assert ask.refuses({"not": handheld}, worker) is None
    with one_transaction(principal="test"):
        note_device(worker_id=worker.pk, device="desktop")
    assert ask.refuses(handheld, worker)
    assert ask.refuses({"not": handheld}, worker) is None
    assert ask.refuses({"not": handheld}, worker, "phone") == "It asks for no phone or tablet."


def test_content_that_may_disturb_is_shown_to_those_only_who_agreed_to_all_of_it(ask: Ask) -> None:
    worker, both = make.make_worker(), {"content": {"agrees": ["violence", "self_harm"]}}
    assert ask.refuses(both, worker) == "It asks for consent to be shown violence, self harm."
    for agreed, fits in (["violence"], False), (["violence", "self_harm", "hate"], True), ([], False):
        with one_transaction(principal="test"):
            update_profile(worker_id=worker.pk, content=agreed)
        assert (ask.refuses(both, worker) is None) == fits, agreed


def test_an_account_is_old_or_young_enough(ask: Ask, clock: Forward) -> None:
    worker = make.make_worker()
    old, young = {"account_age": {"min_days": 30}}, {"account_age": {"max_days": 30}}
    assert ask.refuses(old, worker) == "It asks for an account that is at least 30 days old."
    assert ask.refuses(young, worker) is None
    clock(timedelta(days=30))
    assert ask.refuses(old, worker) is None
    assert ask.refuses(young, worker)


def test_a_skill_is_held_within_bounds_until_it_expires_or_is_revoked(ask: Ask, clock: Forward) -> None:
    worker, skill = make.make_worker(), ask.skill()
    held, well = {"skill": {"id": str(skill.public_id)}}, {"skill": {"id": str(skill.public_id), "min": 0.8}}
    assert ask.refuses(held, worker)
    ask.grant(skill, worker, 0.5)
    assert ask.refuses(held, worker) is None
    assert ask.refuses(well, worker) == "It asks for the skill “Reads skill” of at least 0.80."
    assert ask.refuses({"skill": {"id": str(skill.public_id), "max": 0.4}}, worker)
    ask.grant(skill, worker, 0.8, life=timedelta(days=1))
    assert ask.refuses(well, worker) is None
    clock(timedelta(days=1))
    assert ask.refuses(held, worker)
    ask.grant(skill, worker, 0.9)
    assert ask.refuses(well, worker) is None
    with one_transaction(principal="test"):
        revoke_skill(skill=skill, worker_id=worker.pk, by=ask.by, reason="copied")
    assert ask.refuses(held, worker)


def test_a_qualification_is_held_or_not(ask: Ask) -> None:
    worker, other, exam = make.make_worker(), make.make_worker(), ask.skill("qualification")
    ask.grant(exam, worker)
    audience = {"qualification": {"id": str(exam.public_id)}}
    assert ask.refuses(audience, worker) is None
    assert ask.refuses(audience, other) == "It asks for the qualification “Reads qualification”."
    assert ask.refuses({"not": audience}, worker) == "It asks for not the qualification “Reads qualification”."


def test_a_list_lets_in_or_keeps_out_and_its_name_stays_the_requesters(ask: Ask) -> None:
    worker, other = make.make_worker(), make.make_worker()
    made = ask.list_of(worker)
    allow = {"list": {"id": str(made.public_id), "member": True}}
    deny = {"list": {"id": str(made.public_id), "member": False}}
    assert ask.refuses(allow, worker) is None
    assert ask.refuses(allow, other) == "It asks for a place on a list of the requester."
    assert ask.refuses(deny, other) is None
    assert ask.refuses(deny, worker) == "It asks for no place on a list of the requester."
    with one_transaction(principal="test"):
        change_list(worker_list=made, add=[], remove=[worker.pk], by=ask.by)
    assert ask.refuses(allow, worker)
    assert ask.refuses(deny, worker) is None


def test_past_work_counts_from_the_first_lease_and_by_accepted_answers(ask: Ask) -> None:
    worker, other = make.make_worker(), make.make_worker()
    before = make.make_batch(tasks=2, project=ask.project)
    worked = {"batch": {"id": str(before.public_id)}}
    accepted = {"batch": {"id": str(before.public_id), "min_accepted": 2}}
    assert ask.refuses(worked, worker) == "It asks for work in another batch of the requester."
    make.answer(worker, make.take(worker, before, 2))
    assert ask.refuses(worked, worker) is None
    assert ask.refuses({"not": worked}, worker)
    assert ask.refuses({"not": worked}, other) is None
    assert ask.refuses(accepted, worker)
    with one_transaction(principal="test"):
        accept_answers(batch_id=before.pk, assignments=[Assignment.objects.earliest("pk").public_id])
    assert ask.refuses(accepted, worker)
    with one_transaction(principal="test"):
        accept_answers(batch_id=before.pk, assignments=None)
    assert ask.refuses(accepted, worker) is None
    assert ask.refuses(accepted, other) == (
        "It asks for at least 2 accepted answers in another batch of the requester."
    )


def test_a_score_is_bounded_from_both_sides_and_by_what_it_rests_on(ask: Ask) -> None:
    batch, worker = make.make_batch(tasks=1, project=ask.project), make.make_worker()
    make.judge(worker, batch, 1.0, 1.0)  # (2 + 2) / (3 + 2)
    assert ask.refuses({"score": {"min": 0.8, "max": 0.8, "min_evidence": 2}}, worker) is None
    assert ask.refuses({"score": {"min": 0.81}}, worker)
    assert ask.refuses({"score": {"max": 0.79}}, worker) == "It asks for a score of at most 0.79 in this project."
    assert ask.refuses({"score": {"min_evidence": 3}}, worker)
    assert ask.refuses({"not": {"score": {"min_evidence": 2}}}, worker) == (
        "It asks for fewer than 2 judged answers in this project."
    )


def test_conditions_are_put_together_and_every_one_that_is_lacking_is_named(ask: Ask) -> None:
    worker = worker_of("AT", "de")
    country, french = {"country": {"in": ["DE"]}}, {"languages": {"any": ["fr"]}}
    german = {"languages": {"all": ["de"]}}
    assert ask.refuses({"all": [german, {"any": [country, german]}]}, worker) is None
    assert ask.refuses({"all": [country, german, french]}, worker) == (
        "It asks for a country among DE, and for the language fr."
    )
    assert ask.refuses({"any": [country, french]}, worker) == (
        "It asks for one of these: a country among DE; the language fr."
    )
    assert ask.refuses({"not": {"any": [country, german]}}, worker) == "It asks for not the language de."
    assert ask.refuses({"not": {"all": [german, {"country": {"in": ["AT"]}}]}}, worker) == (
        "It asks for one of these: not the language de; a country other than AT."
    )
    assert ask.refuses({"not": {"not": german}}, worker) is None


def test_better_workers_enter_first_and_the_others_are_told_when(ask: Ask, clock: Forward) -> None:
    batch, good, new = make.make_batch(tasks=1, project=ask.project), make.make_worker(), make.make_worker()
    make.judge(good, batch, *[1.0] * 7)  # 9/10
    early = make.make_batch(tasks=9, project=ask.project, head_start_s=1_000)
    assert batch.published_at is not None
    clock(timedelta(seconds=90))
    with pytest.raises(NotEligible, match="higher score first"):
        make.take(good, early)
    clock(timedelta(seconds=30))
    assert make.take(good, early)
    with one_transaction(principal="test"), pytest.raises(NotEligible) as refused:
        require_eligible(worker_id=new.pk, offer=offer_of(early.public_id))
    # The prior is 2/3, so a third of the head start remains: 120 s of 333 s have passed.
    assert early.published_at is not None
    opens = (early.published_at + timedelta(seconds=1_000 / 3)).isoformat()
    assert refused.value.facts["opens_at"][:21] == opens[:21]
    clock(timedelta(seconds=210))
    with pytest.raises(NotEligible):
        make.take(new, early)
    clock(timedelta(seconds=5))
    assert make.take(new, early)


def test_a_claim_asks_nothing_where_everybody_may_enter_and_once_where_five_things_are_asked(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []

    def counted(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        statements.append(sql)
        return prepared(sql, params)

    monkeypatch.setattr(eligibility, "prepared", counted)
    worker, skill = worker_of("DE", "de"), ask.skill()
    ask.grant(skill, worker, 1.0)
    five = {
        "all": [
            {"country": {"in": ["DE"]}},
            {"languages": {"any": ["de"]}},
            {"skill": {"id": str(skill.public_id), "min": 0.5}},
            {"list": {"id": str(ask.list_of().public_id), "member": False}},
            {"any": [{"score": {"min": 0.6}}, {"device": {"in": ["desktop"]}}]},
        ]
    }
    counts = []
    for audience in ({}, five):
        offer = offer_of(make.make_batch(tasks=1, project=ask.project, audience=audience).public_id)
        # Statements that are kept prepared are not in the log of the others.
        with one_transaction(principal="test"), CaptureQueriesContext(connection) as asked:
            require_eligible(worker_id=worker.pk, offer=offer)
        counts.append((len(statements), len(asked)))
    assert counts == [(0, 0), (1, 0)]


def test_the_device_is_noted_where_it_was_asked_for_and_is_another(ask: Ask) -> None:
    worker = make.make_worker()
    anything = offer_of(make.make_batch(tasks=1, project=ask.project).public_id)
    phones = offer_of(make.make_batch(tasks=1, project=ask.project, audience={"device": {"in": ["phone"]}}).public_id)
    seen = []
    for offer, device in ((anything, "phone"), (phones, "phone"), (anything, "desktop")):
        with one_transaction(principal="test"):
            require_eligible(worker_id=worker.pk, offer=offer, device=device)
        seen.append(Worker.objects.get(pk=worker.pk).device)
    assert seen == ["", "phone", "phone"]
    with one_transaction(principal="test"), pytest.raises(NotEligible):
        require_eligible(worker_id=worker.pk, offer=phones, device="desktop")
