"""Who works for an organisation: the list, invitations, roles."""

from typing import Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from marketplace.accounts.commands import change_role, invite_member, join, remove_member, withdraw_invitation
from marketplace.accounts.errors import InvitationInvalid, LastOwner
from marketplace.accounts.models import Member, Requester, User
from marketplace.accounts.queries import invitation_by, member_of, members_of, open_invitations
from marketplace.common.errors import DomainError, NotFound
from marketplace.pages.acts import act_only
from marketplace.pages.forms import once_form, problem_on
from marketplace.web.people import ConsoleRequest, console_page
from marketplace.web.start_forms import InviteForm, RoleForm
from marketplace.web.start_words import ROLES

LIST = "console_people"


@require_http_methods(["GET", "HEAD", "POST"])
@console_page()
def people(request: ConsoleRequest, requester: Requester) -> HttpResponse:
    """All members; owners invite others here."""
    owner = request.may("owner")
    if request.method == "POST" and not owner:
        raise PermissionDenied
    form = InviteForm(request.POST or None, initial={"role": "viewer"})
    link, invited = "", None
    if request.method == "POST" and form.is_valid():
        try:
            with once_form(request) as sent:
                # The link holds a code that is kept nowhere: who sends the form twice finds the invitation without it.
                if repeated := sent.repeat_goes_to(LIST, requester.public_id):
                    return repeated
                invited, code = invite_member(requester_id=requester.pk, by=request.user.pk, **form.cleaned_data)
                link = request.build_absolute_uri(f"{reverse('console_join')}?code={code}")
                form = InviteForm(initial={"role": "viewer"})
        except DomainError as error:
            problem_on(form, error)
    context = {
        "requester": requester,
        "owner": owner,
        "members": [(one, ROLES[one.role][0]) for one in members_of(requester.pk).order_by("joined_at", "pk")],
        "invitations": [(one, ROLES[one.role][0]) for one in open_invitations(requester.pk).order_by("pk")]
        if owner
        else [],
        "form": form,
        "roles": list(ROLES.values()),
        "invited": invited,
        "link": link,
    }
    return render(request, "console/people.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@console_page("owner")
def member(request: ConsoleRequest, requester: Requester, member: UUID) -> HttpResponse:
    """One member: another role, or none any more."""
    found = _member(requester, member)
    form = RoleForm(request.POST or None, initial={"role": found.role})
    if request.method == "POST" and form.is_valid():
        try:
            with once_form(request) as sent:
                if sent.first:
                    change_role(requester_id=requester.pk, member=member, role=form.cleaned_data["role"])
                return sent.redirect(LIST, requester.public_id, said=_("The role is changed."))
        except DomainError as error:
            problem_on(form, error)
    return _member_page(request, requester, found, form)


@act_only
@console_page()
def remove(request: ConsoleRequest, requester: Requester, member: UUID) -> HttpResponse:
    """Let somebody go; everybody may go by himself."""
    leaves = member == request.user.public_id
    if not (leaves or request.may("owner")):
        raise PermissionDenied
    try:
        with once_form(request) as sent:
            if sent.first:
                remove_member(requester_id=requester.pk, member=member)
            if leaves:
                return sent.redirect("console", said=_("You have left the organisation."))
            return sent.redirect(LIST, requester.public_id, said=_("Removed. Nothing here opens for them any more."))
    except NotFound as error:
        raise Http404 from error
    except LastOwner as error:
        form = RoleForm({"role": "owner"})
        problem_on(form, error)
        return _member_page(request, requester, _member(requester, member), form)


@act_only
@console_page("owner")
def withdraw(request: ConsoleRequest, requester: Requester, invitation: UUID) -> HttpResponse:
    """Take an invitation back."""
    try:
        with once_form(request) as sent:
            if sent.first:
                withdraw_invitation(requester_id=requester.pk, invitation=invitation)
            return sent.redirect(LIST, requester.public_id, said=_("The invitation is taken back."))
    except NotFound as error:
        raise Http404 from error


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def join_organisation(request: HttpRequest) -> HttpResponse:
    """What an invitation says, and yes to it."""
    code = request.POST.get("code") or request.GET.get("code") or ""
    user = cast(User, request.user)
    refused = ""
    if request.method == "POST":
        try:
            with once_form(request) as sent:
                made = join(user=user, code=code) if sent.first else None
                to = made.requester.public_id if made else ""
                return sent.redirect("console_home", to, said=_("Welcome. You belong to this organisation now."))
        except DomainError as error:
            refused = error.detail
    context: dict[str, Any] = {"code": code, "refused": refused, "invitation": None}
    try:
        context["invitation"] = invitation = invitation_by(code)
        context["role"], context["may"] = ROLES[invitation.role]
        context["elsewhere"] = invitation.email != user.email
    except InvitationInvalid as error:
        context["refused"] = error.detail
    shown = context["invitation"] is not None and not refused
    return render(request, "console/join.html", context, status=200 if shown else 422)


def _member(requester: Requester, member: UUID) -> Member:
    try:
        return member_of(requester.pk, member)
    except NotFound as error:
        raise Http404 from error


def _member_page(request: ConsoleRequest, requester: Requester, found: Member, form: RoleForm) -> HttpResponse:
    context = {"requester": requester, "member": found, "form": form, "self": found.user_id == request.user.pk}
    return render(request, "console/member.html", context, status=422 if form.is_bound else 200)
