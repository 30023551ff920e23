"""Workers as an organisation knows them: what it vouches for, and its lists to let in or keep out."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from marketplace.accounts.models import Requester
from marketplace.api.skills import workers_named
from marketplace.common.errors import DomainError
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import page_after, place_asked
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.worker_forms import AddForm, GrantForm, ListForm, RemoveForm, RevokeForm, SkillForm
from workers.profiles.commands.lists import change_list, create_list
from workers.profiles.commands.skills import create_skill, grant_skill, revoke_skill
from workers.profiles.models import Skill, SkillKind, WorkerList
from workers.profiles.queries import grants_of, lists_of, members_now, skills_of

SHOWN = 50
KINDS = {SkillKind.SKILL: gettext_lazy("Skill"), SkillKind.QUALIFICATION: gettext_lazy("Qualification")}


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def workers(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """All skills, qualifications and lists; managers make new ones."""
    act = request.POST.get("act", "")
    skill_form = SkillForm(request.POST if act == "skill" else None, auto_id="skill-%s")
    list_form = ListForm(request.POST if act == "list" else None, auto_id="list-%s")
    if request.method == "POST":

        def make_skill() -> Any:
            made = create_skill(requester_id=requester.pk, **skill_form.cleaned_data)
            return ("console_skill", requester.public_id, made.public_id), _("It is there. Say who holds it.")

        def make_list() -> Any:
            made = create_list(requester_id=requester.pk, **list_form.cleaned_data)
            return ("console_worker_list", requester.public_id, made.public_id), _("It is there. Put workers on it.")

        acts = {"skill": (skill_form, make_skill), "list": (list_form, make_list)}
        if act not in acts:
            raise BadRequest("there is no such act")
        done = _done(request, *acts[act])
        if done is not None:
            return done
    skills, more_skills = _page(request, "skills", skills_of(requester.pk))
    lists, more_lists = _page(request, "lists", lists_of(requester.pk))
    context = {
        "requester": requester,
        "skills": [(one, KINDS[SkillKind(one.kind)]) for one in skills],
        "more_skills": more_skills,
        "lists": lists,
        "more_lists": more_lists,
        "skill_form": skill_form,
        "list_form": list_form,
        "manages": request.may("manager"),
    }
    return render(request, "console/workers.html", context, status=_status(skill_form, list_form))


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def skill(request: ConsoleRequest, requester: Requester, skill: UUID) -> HttpResponse:
    """Who holds one skill or qualification; managers give it and take it back."""
    of = _found(skills_of(requester.pk), skill)
    act = request.POST.get("act", "")
    form = GrantForm(request.POST if act == "grant" else None, skill=of, initial={"worker": _wished(request)})
    revoke = RevokeForm(request.POST if act == "revoke" else None, auto_id="sent-%s")
    if request.method == "POST":
        here = ("console_skill", requester.public_id, of.public_id)

        def grant() -> Any:
            told = form.cleaned_data
            name = told["worker"]
            grant_skill(
                skill=of,
                worker_id=workers_named(requester.pk, worker=[name])[name],
                by=request.user.pk,
                evidence=told["evidence"],
                value=told.get("value"),
                life=form.life,
            )
            return here, _("%(worker)s holds it now.") % {"worker": name}

        def take() -> Any:
            name = revoke.cleaned_data["worker"]
            worker_id = workers_named(requester.pk, worker=[name])[name]
            revoke_skill(skill=of, worker_id=worker_id, by=request.user.pk, reason=revoke.cleaned_data["reason"])
            return here, _("%(worker)s holds it no longer.") % {"worker": name}

        acts: dict[str, Any] = {"grant": (form, grant), "revoke": (revoke, take)}
        if act not in acts:
            raise BadRequest("there is no such act")
        done = _done(request, *acts[act])
        if done is not None:
            return done
    found, after = _page(request, "holders", grants_of(of, current=True), parameter="after")
    rows = [
        {
            "grant": one,
            "form": revoke
            if revoke.is_bound and revoke.data.get("worker") == one.code
            else RevokeForm(initial={"worker": one.code}, auto_id=f"{one.code}-%s"),
        }
        for one in found
    ]
    context = {
        "requester": requester,
        "skill": of,
        "kind": KINDS[SkillKind(of.kind)],
        "rows": rows,
        "after": after,
        "form": form,
        "refused": revoke if revoke.is_bound else None,
        "manages": request.may("manager"),
    }
    return render(request, "console/skill.html", context, status=_status(form, revoke))


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def worker_list(request: ConsoleRequest, requester: Requester, worker_list: UUID) -> HttpResponse:
    """Who is on one list; managers put workers on it and take them off."""
    of = _found(lists_of(requester.pk), worker_list)
    act = request.POST.get("act", "")
    form = AddForm(request.POST if act == "add" else None, initial={"workers": _wished(request)})
    remove = RemoveForm(request.POST if act == "remove" else None)
    if request.method == "POST":
        here = ("console_worker_list", requester.public_id, of.public_id)

        def change(add: list[str], off: list[str]) -> Any:
            known = workers_named(requester.pk, workers=add, worker=off)
            done = change_list(
                worker_list=of,
                add=[known[name] for name in add],
                remove=[known[name] for name in off],
                by=request.user.pk,
            )
            if off:
                return here, _("Taken off the list.")
            words = ngettext("%(n)d worker came onto the list.", "%(n)d workers came onto the list.", done.added)
            return here, words % {"n": done.added}

        acts: dict[str, Any] = {
            "add": (form, lambda: change(form.cleaned_data["workers"], [])),
            "remove": (remove, lambda: change([], [remove.cleaned_data["worker"]])),
        }
        if act not in acts:
            raise BadRequest("there is no such act")
        done = _done(request, *acts[act])
        if done is not None:
            return done
    found, after = _page(request, "members", members_now(of), parameter="after")
    context = {
        "requester": requester,
        "list": of,
        "rows": found,
        "after": after,
        "form": form,
        "refused": remove if remove.is_bound else None,
        "manages": request.may("manager"),
    }
    return render(request, "console/worker_list.html", context, status=_status(form, remove))


def _done(request: ConsoleRequest, form: forms.Form, act: Callable[[], Any]) -> HttpResponse | None:
    """Do what a form asks for, once, and go where it says; None where it was refused and the form says why."""
    if not form.is_valid():
        return None
    if not request.may("manager"):
        form.add_error(None, _("This is for managers; ask one of yours."))
        return None
    try:
        with once_form(request) as sent:
            (to, *args), said = act() if sent.first else (("console",), "")
            return sent.redirect(to, *args, said=said)
    except DomainError as error:
        for finding in error.facts.get("errors") or ():
            # Which of several is unknown stands in brackets.
            finding["field"] = str(finding.get("field") or "").partition("[")[0]
        problem_on(form, error)
        return None


def _found(known: Any, public_id: UUID) -> Any:
    found: Skill | WorkerList | None = known.select_related("requester").filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _page(request: ConsoleRequest, what: str, known: Any, *, parameter: str = "") -> tuple[list[Any], str]:
    """A page of rows, the newest first, and where it goes on."""
    found, parameter = known.order_by("-pk"), parameter or what
    place = place_asked(request, what, parameter)
    if place is not None:
        found = found.filter(pk__lt=place)
    return page_after(request, what, list(found[: SHOWN + 1]), SHOWN, lambda row: row.pk, parameter=parameter)


def _wished(request: ConsoleRequest) -> str:
    """The worker whom the address names."""
    return request.GET.get("worker", "")[:24]


def _status(*sent: forms.Form) -> int:
    return 422 if any(form.is_bound for form in sent) else 200
