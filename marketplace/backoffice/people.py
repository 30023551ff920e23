"""Who may see the staff's pages."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from marketplace.accounts.models import StaffRole, User
from marketplace.accounts.queries import staff_roles
from marketplace.accounts.roles import covers
from marketplace.accounts.second_factor import has_second_factor, shown_in
from marketplace.common.errors import NotFound

P = ParamSpec("P")
MONEY = (StaffRole.FINANCE,)
PEOPLE = (StaffRole.SUPPORT, StaffRole.QUALITY, StaffRole.FINANCE)
JUDGES = (StaffRole.SUPPORT, StaffRole.QUALITY)
# Addresses, names and devices of people.
SUPPORT = (StaffRole.SUPPORT,)
# How the site itself works.
OPERATORS = (StaffRole.SUPERUSER,)


class StaffRequest(HttpRequest):
    """A request of somebody of the staff who has shown his second factor in this session."""

    user: User
    roles: frozenset[str]
    # What templates ask: `request.staff.finance`, and whether he may see people and judge.
    staff: dict[str, bool]


def staff_page(
    *roles: StaffRole,
) -> Callable[[Callable[Concatenate[StaffRequest, P], HttpResponse]], Callable[..., HttpResponse]]:
    """A view for staff with one of these roles, or with any where none is named; superusers have them all.

    Strangers sign in first. To whoever is no staff there is nothing here (404). Refused (403) is a session in which no
    code of a second factor was shown, which says where that is done, and then another role, which says which is needed.
    What does not exist is told as such. Sets `request.roles`. Nothing is kept by caches.
    """

    def gate_of(view: Callable[Concatenate[StaffRequest, P], HttpResponse]) -> Callable[..., HttpResponse]:
        @never_cache
        @login_required
        @wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            asked, user_id = cast(StaffRequest, request), cast(User, request.user).pk
            held = staff_roles(user_id)
            if not held:
                raise Http404
            if not shown_in(request):
                return _second_factor_first(request, user_id)
            asked.roles = held
            asked.staff = {
                **{role.value: covers(held, [role]) for role in StaffRole},
                "people": covers(held, PEOPLE),
                "judge": covers(held, JUDGES),
            }
            if roles and not covers(held, roles):
                context = {"needed": _labels(roles), "held": _labels(held)}
                return render(request, "staff/other_role.html", context, status=403)
            try:
                return view(asked, *args, **kwargs)
            except NotFound as error:
                raise Http404 from error

        return gate

    return gate_of


def _labels(roles: Iterable[str]) -> str:
    return ", ".join(sorted(str(StaffRole(role).label) for role in roles))


def _second_factor_first(request: HttpRequest, user_id: int) -> HttpResponse:
    there = has_second_factor(user_id)
    way = reverse("mfa_reauthenticate" if there else "mfa_activate_totp")
    context = {"there": there, "way": f"{way}?{urlencode({'next': request.get_full_path()})}"}
    return render(request, "staff/second_factor.html", context, status=403)
