"""People: found, seen with the evidence on which they are judged, and limited with a reason and until a time."""

from collections.abc import Callable
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.accounts.queries import acts, any_requester, live_sanctions, same_person, sanction_of
from marketplace.api.looks import note_look, note_search
from marketplace.api.people import found_people, requester_file, worker_file
from marketplace.api.sanctions import any_place, for_staff, staff_sanction_shape
from marketplace.api.worker_parts import PARTS
from marketplace.backoffice.acting import at_field, carried_out, status_of
from marketplace.backoffice.forms import MEASURES, LinkForm, ReasonForm, SanctionForm, SearchForm
from marketplace.backoffice.people import JUDGES, PEOPLE, StaffRequest, staff_page
from marketplace.common.errors import Unprocessable
from marketplace.pages.paging import page_after, place_asked
from workers.assignments.history import asked_in
from workers.profiles.commands.links import end_link, link_accounts
from workers.profiles.errors import WorkersUnknown
from workers.profiles.queries import accounts_linked, any_link, any_worker, own_link

ACTS_SHOWN, SHOWN = 20, 50
WITH_ANSWERS = ("answers", "rejections")
TITLES = {
    "answers": gettext_lazy("Answers"),
    "rejections": gettext_lazy("Rejections"),
    "returns": gettext_lazy("Tasks given back"),
    "firings": gettext_lazy("Rules that held of him"),
    "sanctions": gettext_lazy("Limits"),
    "appeals": gettext_lazy("Appeals"),
    "skills": gettext_lazy("Skills and qualifications"),
    "links": gettext_lazy("Linked accounts"),
    "payouts": gettext_lazy("Payouts"),
    "attempts": gettext_lazy("Wanted to be paid where another is or was"),
}


@require_safe
@staff_page(*PEOPLE)
def search(request: StaffRequest) -> HttpResponse:
    """By id, by the name of an organisation, by a worker's name at some organisation, or by the beginning of an
    address."""
    form = SearchForm(request.GET if "search" in request.GET else None)
    found = None
    if form.is_valid():
        found = found_people(form.cleaned_data["search"].strip(), request.roles)
        note_search(request, len(found["workers"]) + len(found["requesters"]))
    return render(request, "staff/people.html", {"form": form, "found": found}, status=422 if form.errors else 200)


@require_safe
@staff_page(*PEOPLE)
def worker(request: StaffRequest, worker: UUID) -> HttpResponse:
    """One worker: scores, rules that held of him, sanctions, appeals, money."""
    of = any_worker(worker)
    note_look(request, "worker", worker)
    told = acts().filter(subject="worker", subject_id=str(worker)).order_by("-pk")[:ACTS_SHOWN]
    file = worker_file(of, request.roles)
    asked = asked_in(of.pk, [row["id"] for name in WITH_ANSWERS for row in file[name]])
    return render(request, "staff/worker.html", {"worker": file, "asked": asked, "acts": told})


def part_page(name: str) -> Callable[..., HttpResponse]:
    """The page of one list of a worker's, the newest first."""
    part = PARTS[name]

    @require_safe
    @staff_page(*part.roles)
    def page(request: StaffRequest, worker: UUID) -> HttpResponse:
        of = any_worker(worker)
        note_look(request, "worker", worker)
        found = part.rows(of).order_by("-pk")
        place = place_asked(request, name)
        if place is not None:
            found = found.filter(pk__lt=place)
        shown, after = page_after(request, name, list(found[: SHOWN + 1]), SHOWN, lambda one: one.pk)
        context = {
            "worker": of,
            "asked": asked_in(of.pk, [one.public_id for one in shown]) if name in WITH_ANSWERS else {},
            "title": TITLES[name],
            "rows": part.told(shown, request.roles),
            "rows_template": f"staff/rows/{name}.html",
            "after": after,
        }
        return render(request, "staff/worker_part.html", context)

    return page


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*JUDGES)
def link(request: StaffRequest, worker: UUID) -> HttpResponse:
    """Say that this account and others are one person's, with the reason."""
    of = any_worker(worker)
    form = LinkForm(request.POST or None)

    def one_person() -> None:
        others = form.cleaned_data["workers"]
        try:
            link_accounts(workers=[worker, *others], reason=form.cleaned_data["reason"], by=request.user.pk)
        except WorkersUnknown as error:
            message = _("One of these is no worker, or there is none but this one.")
            raise Unprocessable(error.detail, errors=[{"field": "workers", "message": message}]) from error

    said = _("Linked: they count as one worker from now on.")
    done = carried_out(request, form, one_person, to="staff_worker", args=[worker], said=said)
    if done:
        return done
    note_look(request, "worker", worker)
    context = {"form": form, "worker": of, "own": same_person(of.user_id, request.user.pk)}
    return render(request, "staff/link.html", context, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*JUDGES)
def end_a_link(request: StaffRequest, link: UUID) -> HttpResponse:
    """A link was wrong: end it, with the reason."""
    found = any_link(link)
    accounts = accounts_linked(found.pk)
    form = ReasonForm(request.POST or None)
    done = carried_out(
        request,
        form,
        lambda: end_link(link=found, reason=form.cleaned_data["reason"], by=request.user.pk),
        to="staff_worker",
        args=[accounts[0][0]],
        said=_("Ended."),
    )
    if done:
        return done
    note_look(request, "link", link)
    own = own_link(found.pk, request.user.pk)
    context = {"form": form, "link": found, "accounts": accounts, "own": own}
    return render(request, "staff/link_end.html", context, status=status_of(form))


@require_safe
@staff_page(*JUDGES)
def sanctions(request: StaffRequest) -> HttpResponse:
    """Every limit that is in force, or all that ever were, the newest first."""
    in_force = "all" not in request.GET
    found = for_staff().order_by("-pk")
    if in_force:
        found = found.filter(pk__in=live_sanctions(None).values("pk"))
    place = place_asked(request, "sanctions")
    if place is not None:
        found = found.filter(pk__lt=place)
    shown, after = page_after(request, "sanctions", list(found[: SHOWN + 1]), SHOWN, lambda one: one.pk)
    note_look(request, "sanctions", "in_force" if in_force else "all")
    context = {
        "rows": [staff_sanction_shape(one, request.roles) for one in shown],
        "after": after,
        "in_force": in_force,
    }
    return render(request, "staff/sanctions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*JUDGES)
def sanction(request: StaffRequest, worker: UUID) -> HttpResponse:
    """Limit a worker: for a reason, on evidence, until a time; he reads why and can contest it."""
    of = any_worker(worker)
    form = SanctionForm(request.POST or None)

    def limit() -> None:
        said = form.cleaned_data
        impose(
            user_id=of.user_id,
            scope=said["scope"],
            scope_id=at_field("place", lambda: any_place(said["scope"], said["place"])),
            measure=said["measure"],
            reason=said["reason"],
            words=said["words"],
            evidence={"note": said["evidence"]},
            life=form.life(),
            pace_s=said["pace_s"],
            made_by=request.user.pk,
        )

    said = _("In force. The worker is told why, and until when it can be contested.")
    done = carried_out(request, form, limit, to="staff_worker", args=[worker], said=said)
    if done:
        return done
    note_look(request, "worker", worker)
    context = {"form": form, "worker": of, "own": same_person(of.user_id, request.user.pk)}
    return render(request, "staff/sanction.html", context, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(*JUDGES)
def lift_sanction(request: StaffRequest, sanction: UUID) -> HttpResponse:
    """End a sanction before its time, with a reason."""
    found = sanction_of(sanction, for_staff())
    form = ReasonForm(request.POST or None)
    whose = getattr(found, "worker", None)
    done = carried_out(
        request,
        form,
        lambda: lift(sanction_id=found.pk, reason=form.cleaned_data["reason"], by=request.user.pk),
        to="staff_worker" if whose else "staff_people",
        args=[whose] if whose else [],
        said=_("Lifted."),
    )
    if done:
        return done
    note_look(request, "sanction", sanction)
    context = {
        "form": form,
        "sanction": found,
        "what": MEASURES[found.measure],  # type: ignore[index]
        "worker": whose,
        "own": same_person(found.user_id, request.user.pk),
    }
    return render(request, "staff/lift.html", context, status=status_of(form))


@require_safe
@staff_page(*PEOPLE)
def requester(request: StaffRequest, requester: UUID) -> HttpResponse:
    """One organisation: how it rejects, its batches, its members, its money."""
    of = any_requester(requester)
    note_look(request, "requester", requester)
    return render(request, "staff/requester.html", {"requester": requester_file(of, request.roles)})
