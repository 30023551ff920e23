"""The batches of an organisation, and a new one."""

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.models import Requester
from marketplace.batches.commands.create import create_batch
from marketplace.batches.costs import Platform
from marketplace.batches.models import Batch
from marketplace.batches.queries import batches_of, overviews
from marketplace.common.errors import DomainError
from marketplace.pages.forms import once_form
from marketplace.projects.models import Project
from marketplace.projects.queries import projects_of, version_of
from marketplace.web.batch_forms import NewBatchForm
from marketplace.web.batch_words import STATES, state_of
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.setting_up import first_terms, refused_on

SHOWN = 20


@require_safe
@console_page()
def batches(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """All of them, the newest first; or those in a state, or of a project."""
    state, project = request.GET.get("state", ""), request.GET.get("project", "")
    projects = list(projects_of(request.user.pk).filter(requester=requester).order_by("name", "pk"))
    found = batches_of(request.user.pk).filter(requester=requester).select_related("project")
    if state in STATES:
        found = found.filter(state=state)
    chosen = next((one for one in projects if str(one.public_id) == project), None)
    if chosen is not None:
        found = found.filter(project=chosen)
    page = Paginator(found.order_by("-pk"), SHOWN).get_page(request.GET.get("page"))
    figures = overviews([one.pk for one in page])
    context = {
        "requester": requester,
        "rows": [_row(one, figures[one.pk]) for one in page],
        "states": [(value, words) for value, (words, _tone) in STATES.items()],
        "state": state if state in STATES else "",
        "projects": projects,
        "project": project if chosen else "",
        "asked": bool(state or project),
        "words": _("%(first)d–%(last)d of %(all)d")
        % {"first": page.start_index(), "last": page.end_index(), "all": page.paginator.count},
        "before": _page(request.GET, page.previous_page_number()) if page.has_previous() else "",
        "after": _page(request.GET, page.next_page_number()) if page.has_next() else "",
    }
    return render(request, "console/batches.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("manager")
def new(request: ConsoleRequest, project: Project) -> HttpResponse:
    """A draft with a name; the rest comes step by step."""
    form = NewBatchForm(request.POST or None, project=project)
    if request.method == "POST" and form.is_valid():
        try:
            with once_form(request) as sent:
                if not sent.first:
                    return sent.redirect("console_batches", project.requester.public_id)
                made = create_batch(
                    project=project,
                    version=version_of(project, form.cleaned_data["version"]),
                    terms=first_terms(project, form.cleaned_data),
                    platform=Platform(**settings.PLATFORM_TERMS),
                )
                return sent.redirect("console_setup_items", made.public_id)
        except DomainError as error:
            refused_on(form, error, {})
    context = {"project": project, "form": form, "status": state_of}
    return render(request, "console/batch_new.html", context, status=422 if form.errors else 200)


def _row(batch: Batch, figures: Any) -> dict[str, Any]:
    words, tone = state_of(batch)
    return {"batch": batch, "figures": figures, "words": words, "tone": tone}


def _page(asked: QueryDict, number: int) -> str:
    query = asked.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"
