"""Versions of a project: looked at as workers see them, written, compared, published."""

import json
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.batches.queries import answers_by_version
from marketplace.common.errors import DomainError, NotFound
from marketplace.pages.acts import act_only
from marketplace.pages.forms import once_form, problem_on
from marketplace.projects.changes import instruction_changes, interface_changes
from marketplace.projects.commands import add_version, change_version, publish_version
from marketplace.projects.data_types import DATA_TYPES
from marketplace.projects.models import Project, Version
from marketplace.projects.queries import version_of, versions_listed
from marketplace.projects.starters import starters
from marketplace.web.change_words import told
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.project_forms import INSTRUCTIONS_MAX, DraftForm, asked_elsewhere, hardly_meant
from marketplace.web.samples import samples

PAGE = "console_version"
# So many can be chosen to compare with; every other by the address.
OTHERS_SHOWN = 100


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def version(request: ConsoleRequest, project: Project, number: int) -> HttpResponse:
    """A version as workers see it; managers write here what is a draft."""
    if request.method == "POST" and not request.may("manager"):
        raise PermissionDenied
    found = _version(project, number)
    if request.method == "POST":
        return _save(request, project, found)
    if found.published_at is None and request.may("manager"):
        return _editor(request, project, found, DraftForm(initial=_written(found)))
    context = {
        **_about(project, found),
        "manager": request.may("manager"),
        "task": {"interface": found.interface, "samples": samples(project, found.interface)},
        "whole": json.dumps(found.interface, ensure_ascii=False, indent=2),
    }
    return render(request, "console/version.html", context)


@act_only
@console_page("manager")
def begin(request: ConsoleRequest, project: Project) -> HttpResponse:
    """A new draft that begins as one of the versions."""
    text = request.POST.get("from", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Http404
    source = _version(project, int(text))
    with once_form(request) as sent:
        made = (
            add_version(project_id=project.pk, interface=source.interface, instructions=source.instructions)
            if sent.first
            else None
        )
        return sent.redirect(PAGE, project.public_id, made.number if made else source.number)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("manager")
def publish(request: ConsoleRequest, project: Project, number: int) -> HttpResponse:
    """Says what publishing means here, and does it."""
    found = _version(project, number)
    if request.method == "POST":
        with once_form(request) as sent:
            if sent.first:
                publish_version(project=project, number=number)
            return sent.redirect(
                "console_project", project.public_id, said=_("Published. New batches can use it from now on.")
            )
    if found.published_at is not None:
        return redirect(PAGE, project.public_id, number)
    before = project.versions.filter(number__lt=number).exclude(published_at=None).order_by("-number").first()
    context = {
        **_about(project, found),
        "before": before,
        "changes": _differences(before, found) if before else None,
        "answers": sum(one.answers for one in answers_by_version(project) if one.version < number),
        "elsewhere": asked_elsewhere(found.interface),
        "doubts": hardly_meant(found.interface),
    }
    return render(request, "console/version_publish.html", context)


@require_safe
@console_page()
def changes(request: ConsoleRequest, project: Project, number: int) -> HttpResponse:
    """What is different from another version."""
    found = _version(project, number)
    asked = request.GET.get("since") or str(number - 1)
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10):
        raise Http404
    before = _version(project, int(asked))
    context = {
        **_about(project, found),
        "before": before,
        "others": _others(project, found, before),
        "changes": _differences(before, found),
    }
    return render(request, "console/version_changes.html", context)


def _others(project: Project, found: Version, before: Version) -> list[Version]:
    """The newest that it can be compared with, and the one that it is compared with."""
    others = list(versions_listed(project.pk).exclude(pk=found.pk)[:OTHERS_SHOWN])
    return others if before.pk == found.pk or before in others else [*others, before]


def _save(request: ConsoleRequest, project: Project, found: Version) -> HttpResponse:
    form = DraftForm(request.POST)
    errors: list[dict[str, str]] = []
    if form.is_valid():
        said = form.cleaned_data
        try:
            with once_form(request) as sent:
                if sent.first:
                    change_version(
                        project=project,
                        number=found.number,
                        interface=said["interface"],
                        instructions=said["instructions"],
                        made_from=said["made_from"],
                    )
                further = "console_version_publish" if request.POST.get("then") == "publish" else PAGE
                return sent.redirect(further, project.public_id, found.number, said=_("The draft is saved."))
        except DomainError as error:
            errors = error.facts.get("errors") or []
            if not errors:
                problem_on(form, error)
    return _editor(request, project, found, form, errors, status=422)


def _editor(
    request: ConsoleRequest,
    project: Project,
    found: Version,
    form: DraftForm,
    errors: list[dict[str, str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        **_about(project, found),
        "form": form,
        "errors": errors or [],
        "begin": {
            "samples": samples(project, found.interface),
            "errors": errors or [],
            "types": [
                [one.type, str(one.title) if one.here else f"{one.title} · {_('over the API only')}"]
                for one in starters().values()
            ],
            "instructionsMax": INSTRUCTIONS_MAX,
            "dataTypes": list(DATA_TYPES),
        },
    }
    return render(request, "console/version_edit.html", context, status=status)


def _about(project: Project, found: Version) -> dict[str, Any]:
    return {"project": project, "requester": project.requester, "version": found}


def _written(version: Version) -> dict[str, str]:
    return {
        "interface": json.dumps(version.interface, ensure_ascii=False, indent=2),
        "instructions": version.instructions,
        "made_from": version.fingerprint,
    }


def _differences(before: Version, after: Version) -> dict[str, Any]:
    return {
        "interface": [told(one) for one in interface_changes(before.interface, after.interface)],
        "instructions": instruction_changes(before.instructions, after.instructions),
    }


def _version(project: Project, number: int) -> Version:
    if number > 2**31 - 1:
        raise Http404
    try:
        return version_of(project, number)
    except NotFound as error:
        raise Http404 from error
