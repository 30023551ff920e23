"""What the site is set to: the platform's rules with their history, limits, and who of the staff may do what."""

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from marketplace.accounts.commands import give_role, take_role
from marketplace.accounts.errors import NoSuchAccount
from marketplace.accounts.models import StaffRole
from marketplace.accounts.queries import account_at, acts, any_user, configurations, staff_people
from marketplace.api.configuration import settings_now, started_shape
from marketplace.api.looks import note_look
from marketplace.api.staff import staff_person_shape
from marketplace.backoffice.acting import carried_out, status_of
from marketplace.backoffice.forms import RoleForm, RulesForm
from marketplace.backoffice.people import StaffRequest, staff_page
from marketplace.batches.quality.presets import PRESETS
from marketplace.pages.paging import page_after, place_asked
from workers.reputation.commands import set_platform_rules
from workers.reputation.queries import platform_rules_history

HISTORY_SHOWN, STARTS_SHOWN = 50, 20
# What rules look like, for whoever writes some for the first time.
RULES_EXAMPLE = {
    "rules": [
        {
            "name": "fails check questions",
            "scope": "project",
            "window": {"answers": 100},
            "all": [
                {"metric": "gold_answers", "at_least": 5},
                {"metric": "gold_accuracy", "below": 0.6, "bound": "high"},
            ],
            "then": [{"do": "limit", "scope": "project", "hours": 72}],
            "words": "Too many of your answers were wrong.",
        }
    ]
}


@require_safe
@staff_page()
def configuration(request: StaffRequest) -> HttpResponse:
    """The rules in force, what the environment sets, and every change that was made: to each role what the API tells
    it."""
    history = list(platform_rules_history().order_by("-pk")[:HISTORY_SHOWN]) if request.staff["quality"] else []
    logged = acts().filter(act__startswith="configuration.").order_by("-pk")
    found = configurations().order_by("-pk")
    place = place_asked(request, "configuration")
    if place is not None:
        found = found.filter(pk__lt=place)
    starts, after = page_after(
        request, "configuration", list(found[: STARTS_SHOWN + 1]), STARTS_SHOWN, lambda one: one.pk
    )
    context = {
        "now": settings_now(),
        "starts": [started_shape(one) for one in starts],
        "after": after,
        "rules": history[0] if history else None,
        "history": history,
        "mail_anchors": bool(settings.LEDGER_ANCHOR_EMAILS),
        "changes": logged[:HISTORY_SHOWN] if request.staff["finance"] else [],
    }
    return render(request, "staff/configuration.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(StaffRole.QUALITY)
def rules(request: StaffRequest) -> HttpResponse:
    """Replace the platform's rules; the earlier ones stay in the history."""
    newest = platform_rules_history().order_by("-pk").first()
    form = RulesForm(request.POST or None, initial={"quality": newest.quality if newest else {}})
    done = carried_out(
        request,
        form,
        lambda: set_platform_rules(
            quality=form.cleaned_data["quality"], note=form.cleaned_data["note"], by=request.user.pk
        ),
        to="staff_configuration",
        said=_("The new rules judge every answer from now on."),
    )
    context = {"form": form, "newest": newest, "example": RULES_EXAMPLE, "presets": list(PRESETS)}
    return done or render(request, "staff/rules.html", context, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(StaffRole.SUPERUSER)
def staff(request: StaffRequest) -> HttpResponse:
    """Who has which role; a superuser gives and takes them."""
    form = RoleForm(request.POST or None)

    def give() -> bool:
        user = account_at(form.cleaned_data["email"])
        if user is None:
            errors = [{"field": "email", "message": _("Nobody has signed up with this address.")}]
            raise NoSuchAccount("Nobody has signed up with this e-mail address.", errors=errors)
        return give_role(user_id=user.pk, role=form.cleaned_data["role"], by=request.user.pk)

    def said(given: bool) -> str:
        if given:
            return _("Given. The person signs in again.")
        return _("%(who)s has this role already; nothing has changed.") % {"who": form.cleaned_data["email"]}

    done = carried_out(request, form, give, to="staff_roles", said=said)
    if done:
        return done
    note_look(request, "staff", "all")
    people = [staff_person_shape(user) for user in staff_people().order_by("pk")]
    return render(request, "staff/roles.html", {"form": form, "people": people}, status=status_of(form))


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page(StaffRole.SUPERUSER)
def revoke(request: StaffRequest, user: UUID) -> HttpResponse:
    """Take one of somebody's roles."""
    of = any_user(user)
    form = RoleForm((request.POST and {"email": of.email, "role": request.POST.get("role", "")}) or None)
    done = carried_out(
        request,
        form,
        lambda: take_role(user_id=of.pk, role=form.cleaned_data["role"], by=request.user.pk),
        to="staff_roles",
        said=lambda taken: (
            _("Taken. What was open to it is closed.") if taken else _("This role was not there; nothing has changed.")
        ),
    )
    if done:
        return done
    note_look(request, "staff", user)
    context = {"form": form, "person": of, "roles": sorted(grant.role for grant in of.staff_grants.all())}
    return render(request, "staff/revoke.html", context, status=status_of(form))
