"""What a key, or the session of a page, may be used for. An anonymous request gets 401, a key without the scope 403."""

from typing import Any, ClassVar

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from marketplace.accounts.errors import StaffRoleNeeded
from marketplace.accounts.models import ApiKey, Scope, StaffRole
from marketplace.accounts.queries import staff_roles
from marketplace.accounts.roles import covers
from marketplace.common.errors import Forbidden
from marketplace.rest.authentication import PageSession


class WrongScope(Forbidden):
    code = "wrong-scope"
    title = "This key is for something else"


class NotAWorker(Forbidden):
    code = "not-a-worker"
    title = "This account is not a worker"


class HasScope(BasePermission):
    """Base of the permissions below: the request carries a key that has the scope, or comes from a page of somebody
    whose roles give it."""

    scope: Scope

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiKey | PageSession):
            return False
        if self.scope not in request.auth.scopes:
            raise WrongScope(f"This needs a key with the scope {self.scope.value!r}.", scope=self.scope.value)
        return True


class IsRequesterKey(HasScope):
    scope = Scope.REQUESTER


class HasWorkerScope(HasScope):
    """A key for work, of somebody who need not be a worker yet."""

    scope = Scope.WORKER


class IsWorkerKey(HasWorkerScope):
    """A worker's key; `request.worker_id` is his id."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        if request.worker_id is None:  # type: ignore[attr-defined]
            raise NotAWorker("Become a worker first: POST /api/v1/workers.")
        return True


class IsWorkersOwnKey(IsWorkerKey):
    """A worker's key; a page's session will not do. For what a page asks a code of the second factor for (R34): whoever
    got hold of a session must not get by here what the page refuses him."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, PageSession):
            raise WrongScope("This needs a key of your own; on the pages there is a form for it that asks for a code.")
        return super().has_permission(request, view)


class IsStaffKey(HasScope):
    """A staff key, of somebody who has one of the roles now: losing it takes effect at once. Superusers have them all;
    without any named, whoever has a role is let in."""

    scope = Scope.STAFF
    roles: ClassVar[tuple[StaffRole, ...]] = ()

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        assert request.user.pk is not None, "a key is somebody's"
        held = staff_roles(request.user.pk)
        if not held:
            raise WrongScope("This account is not staff.", scope=self.scope.value)
        if self.roles and not covers(held, self.roles):
            wanted = " or ".join(role.value for role in self.roles)
            raise StaffRoleNeeded(f"This needs the staff role {wanted}.", roles=[role.value for role in self.roles])
        return True


def staff(*roles: StaffRole) -> type[IsStaffKey]:
    """The permission of whoever has one of these staff roles."""
    wanted = roles

    class IsStaffKeyWithRole(IsStaffKey):
        roles = wanted

    return IsStaffKeyWithRole
