"""Projects: all of an organisation's, a new one, and one with its versions."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.models import Requester
from marketplace.batches.queries import VersionAnswers, answers_by_version
from marketplace.common.errors import DomainError
from marketplace.pages.forms import once_form, problem_on
from marketplace.pages.paging import page_after, place_asked
from marketplace.projects.answer_types.labels import title_of, titles_of
from marketplace.projects.changes import Affected, What
from marketplace.projects.commands import create_project, rename_project
from marketplace.projects.label_studio.configs import interface_of
from marketplace.projects.models import Project
from marketplace.projects.queries import versions_listed
from marketplace.projects.starters import starter_of
from marketplace.results.queries.stale import stale_versions
from marketplace.web.batch_words import state_of
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.project_forms import LABEL_STUDIO, NameForm, NewProjectForm

PROJECTS_SHOWN, VERSIONS_SHOWN, BATCHES_SHOWN = 30, 50, 10


@require_safe
@console_page()
def projects(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """All of them, the newest first."""
    latest = versions_listed(OuterRef("pk")).exclude(published_at=None).values("number")[:1]
    found = Project.objects.filter(requester=requester).order_by("-pk")
    found = found.annotate(batch_count=Count("batches"), latest=Subquery(latest))
    place = place_asked(request, "projects")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "projects", list(found[: PROJECTS_SHOWN + 1]), PROJECTS_SHOWN, lambda it: it.pk)
    context = {"requester": requester, "manager": request.may("manager"), "projects": shown, "after": after}
    return render(request, "console/projects.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("manager")
def new(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """A template for each kind of work; what it makes is a draft to go on with."""
    form = NewProjectForm(request.POST or None, initial={"starter": request.GET.get("starter", "")})
    if request.method == "POST" and form.is_valid():
        try:
            with once_form(request) as sent:
                made = _make(requester, form.cleaned_data) if sent.first else None
                to = (made.public_id, 1) if made else ()
                said = _("This is your draft. Make the words yours, and look at the preview beside them.")
                return sent.redirect("console_version", *to, said=said)
        except DomainError as error:
            for one in error.facts.get("errors") or ():
                one["message"] = f"{one['field']} {one['message']}".strip()
                one["field"] = "config"
            problem_on(form, error)
    context = {"requester": requester, "form": form}
    return render(request, "console/project_new.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def project(request: ConsoleRequest, project: Project) -> HttpResponse:
    """One project: its versions, and under which of them its answers were given. Managers rename it here."""
    if request.method == "POST" and not request.may("manager"):
        raise PermissionDenied
    form = NameForm(request.POST or None, initial={"name": project.name})
    if request.method == "POST" and form.is_valid():
        with once_form(request) as sent:
            if sent.first:
                rename_project(project=project, name=form.cleaned_data["name"])
            return sent.redirect("console_project", project.public_id, said=_("Renamed."))
    under = {one.version: one for one in answers_by_version(project)}
    listed = versions_listed(project.pk)
    place = place_asked(request, "project versions")
    found = listed if place is None else listed.filter(number__lt=place)
    versions, after = page_after(
        request, "project versions", list(found[: VERSIONS_SHOWN + 1]), VERSIONS_SHOWN, lambda one: one.number
    )
    batches = list(project.batches.order_by("-pk")[: BATCHES_SHOWN + 1])
    context: dict[str, Any] = {
        "project": project,
        "batches": [(batch, *state_of(batch)) for batch in batches[:BATCHES_SHOWN]],
        "more_batches": len(batches) > BATCHES_SHOWN,
        "requester": project.requester,
        "manager": request.may("manager"),
        "form": form,
        "versions": [(version, under[version.number]) for version in versions if version.number in under],
        "after": after,
        "latest": listed.exclude(published_at=None).first(),
        "stale": _stale(project, [one for one in under.values() if one.stale]),
        "answers": sum(one.answers for one in under.values()),
        "stale_answers": sum(one.answers for one in under.values() if one.stale),
    }
    return render(request, "console/project.html", context, status=422 if form.is_bound else 200)


def _stale(project: Project, stale: list[VersionAnswers]) -> list[dict[str, Any]]:
    """Versions whose answers are stale, with what these say that is gone or means something else now."""
    if not stale:
        return []
    against = stale_versions(project, [one.version for one in stale])
    earlier = {one.number: one for one in project.versions.filter(number__in=list(against))}
    return [
        {
            "under": one,
            "known": one.version in against,
            "affected": [
                {"words": _affected(it.change, earlier[one.version].interface), "answers": it.answers}
                for it in against.get(one.version, ())
            ],
        }
        for one in stale
    ]


def _affected(change: Affected, interface: Mapping[str, Any]) -> str:
    """A change by the titles that its workers saw."""
    declared = next(one for one in interface["answer"] if one["name"] == change.field)
    question = title_of(declared)
    if change.label is None:
        words = (
            _("“%(question)s” is asked no more") if change.what == What.GONE else _("“%(question)s” is asked otherwise")
        )
        return words % {"question": question}
    said = {"label": titles_of(declared).get(change.label, change.label), "question": question}
    if change.what == What.GONE:
        return _("“%(label)s” of “%(question)s” is gone") % said
    return _("“%(label)s” of “%(question)s” is called or meant otherwise") % said


def _make(requester: Requester, said: dict[str, Any]) -> Project:
    if said["starter"] == LABEL_STUDIO:
        interface, instructions = interface_of(said["config"]).interface, ""
    else:
        starter = starter_of(said["starter"])
        interface, instructions = dict(starter.interface), starter.instructions
    return create_project(requester_id=requester.pk, name=said["name"], interface=interface, instructions=instructions)
