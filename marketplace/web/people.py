"""Who may see the console's pages."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from marketplace.accounts.errors import RoleTooLow
from marketplace.accounts.models import Requester, User
from marketplace.accounts.queries import membership, memberships_of
from marketplace.accounts.roles import includes
from marketplace.batches.queries import batch_for
from marketplace.common.errors import NotFound
from marketplace.projects.queries import project_for

P = ParamSpec("P")


class ConsoleRequest(HttpRequest):
    """A request of a member, about one of his organisations."""

    user: User
    requester: Requester
    role: str
    may: Callable[[str], bool]
    """Whether his role there includes this one."""


def console_page(
    at_least: str = "viewer",
) -> Callable[[Callable[Concatenate[ConsoleRequest, P], HttpResponse]], Callable[..., HttpResponse]]:
    """A view for members of an organisation with this role or a higher one.

    The address names what it is about as `<uuid:requester>`, `<uuid:project>` or `<uuid:batch>`; the view is given the
    row itself, and `request.requester` and `request.role`. Strangers sign in first. What belongs to others is not there
    (404, as for what does not exist); a role that is too low is refused (403). Nothing is kept by caches.
    """

    def gate_of(view: Callable[Concatenate[ConsoleRequest, P], HttpResponse]) -> Callable[..., HttpResponse]:
        @never_cache
        @login_required
        @wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            asked, user_id = cast(ConsoleRequest, request), cast(User, request.user).pk
            try:
                if "batch" in kwargs:
                    kwargs["batch"] = found = batch_for(user_id, kwargs["batch"], at_least=at_least)
                    asked.requester = found.requester
                elif "project" in kwargs:
                    kwargs["project"] = of = project_for(user_id, kwargs["project"], at_least=at_least)
                    asked.requester = of.requester
                else:
                    kwargs["requester"] = asked.requester = membership(
                        user_id, kwargs["requester"], at_least=at_least
                    ).requester
            except NotFound as error:
                raise Http404 from error
            except RoleTooLow as error:
                raise PermissionDenied(error.detail) from error
            asked.role = memberships_of(user_id).get(requester_id=asked.requester.pk).role
            asked.may = partial(includes, asked.role)
            return view(asked, *args, **kwargs)

        return gate

    return gate_of
