"""Reads of workers."""

import contextlib
import re
from collections.abc import Iterable
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from marketplace.accounts.queries import own_of
from marketplace.common.database import MarketNow, value
from marketplace.common.errors import NotFound
from workers.profiles.errors import WorkersUnknown
from workers.profiles.models import Grant, Link, ListMember, Pseudonym, Skill, Worker, WorkerList

# So much of an address is needed to look for it.
SEARCH_MIN = 3
# How a pseudonym looks; nobody is called anything else.
CODE = re.compile(r"w_[A-Za-z0-9_-]{22}", re.ASCII)


def worker_of(user_id: int) -> Worker | None:
    """The worker that this user is, if he is one."""
    return Worker.objects.filter(user_id=user_id).first()


def any_worker(public_id: UUID) -> Worker:
    """Any worker, for staff; raises `NotFound`."""
    found = Worker.objects.select_related("user", "person").filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such worker.")
    return found


def find_workers(text: str, *, by_mail: bool, limit: int = 20) -> list[Worker]:
    """Workers whose id it is, or the name under which some requester knows them, or the beginning of whose address
    (`by_mail`), for staff."""
    asked = Q(pseudonyms__code=text)
    with contextlib.suppress(ValueError):
        asked |= Q(public_id=UUID(text)) | Q(user__public_id=UUID(text))
    if by_mail and len(text) >= SEARCH_MIN:
        asked |= Q(user__email__startswith=text.lower())
    return list(Worker.objects.select_related("user").filter(asked).distinct().order_by("pk")[:limit])


def accounts_of_person(worker_id: int) -> QuerySet[Worker]:
    """The workers that are one person with this one, himself among them."""
    mine = Worker.objects.filter(pk=worker_id).values("person_id")
    return Worker.objects.filter(person_id__in=mine).select_related("user").order_by("pk")


def users_of_person(worker_id: int) -> list[int]:
    """The accounts of the worker's person, his own among them."""
    mine = Worker.objects.filter(pk=worker_id).values("person_id")
    return list(Worker.objects.filter(person_id__in=mine).order_by("pk").values_list("user_id", flat=True))


def workers_of_people(user_ids: Iterable[int]) -> list[int]:
    """Worker ids of all accounts of the people whose accounts these are."""
    people = Worker.objects.filter(user_id__in=list(user_ids)).values("person_id")
    return list(Worker.objects.filter(person_id__in=people).order_by("pk").values_list("pk", flat=True))


def own_among(worker_ids: Iterable[int], user_id: int) -> bool:
    """Whether one of the workers is, or ever was taken for, the person whose account this is."""
    return bool(
        value(
            "SELECT EXISTS (SELECT 1 FROM profiles_worker w"
            " WHERE w.id = ANY(%s) AND accounts_same_person(w.user_id, %s))",
            [sorted(set(worker_ids)), user_id],
        )
    )


def own_link(link_id: int, user_id: int) -> bool:
    """Whether the link holds an account of the person whose account this is."""
    return own_among(Worker.objects.filter(linked__link_id=link_id).values_list("pk", flat=True), user_id)


def workers_by_pseudonym(requester_id: int, codes: Iterable[str]) -> dict[str, int]:
    """Worker ids by this requester's pseudonyms; a code that is unknown, or another requester's, is left out."""
    possible = {code for code in codes if CODE.fullmatch(code)}
    found = Pseudonym.objects.filter(requester_id=requester_id, code__in=possible)
    return dict(found.values_list("code", "worker_id"))


def known_worker(requester_id: int, code: str) -> int:
    """The worker whom the requester knows by this pseudonym; raises `WorkersUnknown`."""
    found = workers_by_pseudonym(requester_id, [code]).get(code)
    if found is None:
        errors = [{"field": "worker", "message": "is no worker that you know"}]
        raise WorkersUnknown("Use the names under which you know workers.", errors=errors)
    return found


def known_pseudonyms(requester_id: int, worker_ids: Iterable[int]) -> dict[int, str]:
    """Pseudonyms by worker id, of those who have one with this requester."""
    found = Pseudonym.objects.filter(requester_id=requester_id, worker_id__in=list(set(worker_ids)))
    return dict(found.values_list("worker_id", "code"))


def skills_of(requester_id: int) -> QuerySet[Skill]:
    """The requester's skills and qualifications."""
    return Skill.objects.filter(requester_id=requester_id)


def skill_for(user_id: int, public_id: UUID, *, at_least: str = "viewer") -> Skill:
    """A skill of an organisation of the user's; raises `NotFound` for another's as for none, `RoleTooLow`."""
    known = Skill.objects.select_related("requester")
    return own_of(known, user_id, public_id, at_least=at_least, what="skill")


def grants_of(skill: Skill, *, current: bool) -> QuerySet[Grant]:
    """Who holds the skill, or the whole history of it; `code` is the requester's name for the worker."""
    found = Grant.objects.filter(skill=skill).select_related("granted_by").annotate(code=_code(skill.requester_id))
    return found.filter(_unexpired(), revoked_at=None) if current else found


def held_by(worker_id: int) -> QuerySet[Grant]:
    """What the worker holds now."""
    return Grant.objects.filter(_unexpired(), worker_id=worker_id, revoked_at=None).select_related("skill__requester")


def grants_to(worker_id: int) -> QuerySet[Grant]:
    """Whatever the worker holds or held, for staff."""
    return Grant.objects.filter(worker_id=worker_id).select_related("skill__requester")


def _code(requester_id: int) -> Subquery:
    named = Pseudonym.objects.filter(requester_id=requester_id, worker_id=OuterRef("worker_id"))
    return Subquery(named.values("code")[:1])


def _unexpired() -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=MarketNow())


def lists_of(requester_id: int) -> QuerySet[WorkerList]:
    """The requester's lists of workers."""
    return WorkerList.objects.filter(requester_id=requester_id)


def list_for(user_id: int, public_id: UUID, *, at_least: str = "viewer") -> WorkerList:
    """A list of an organisation of the user's; raises `NotFound` for another's as for none, `RoleTooLow`."""
    known = WorkerList.objects.select_related("requester")
    return own_of(known, user_id, public_id, at_least=at_least, what="list")


def members_now(worker_list: WorkerList) -> QuerySet[ListMember]:
    """Who is on the list; `code` is the requester's name for the worker."""
    found = ListMember.objects.filter(list=worker_list, removed_at=None).select_related("added_by")
    return found.annotate(code=_code(worker_list.requester_id))


def links() -> QuerySet[Link]:
    """All links between accounts, for staff."""
    return Link.objects.select_related("made_by", "ended_by")


def links_of(worker_id: int) -> QuerySet[Link]:
    """The links that name the worker's account, past ones too, for staff."""
    return links().filter(linked__worker_id=worker_id)


def any_link(public_id: UUID) -> Link:
    """Any link, for staff; raises `NotFound`."""
    found = links().filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such link.")
    return found


def accounts_linked(link_id: int) -> list[tuple[UUID, UUID]]:
    """The accounts that a link names, each with the account that stands for its person now."""
    found = Worker.objects.filter(linked__link_id=link_id).order_by("pk")
    return list(found.values_list("public_id", "person__public_id"))
