"""Giving and taking staff roles. The database does it, and writes it into the audit log; here it is said who may."""

from marketplace.accounts.commands.acts import request_id
from marketplace.accounts.errors import NotAGranter
from marketplace.accounts.models import StaffRole
from marketplace.accounts.queries import has_staff_role
from marketplace.common.database import run, value
from marketplace.common.transactions import require_transaction


def give_role(*, user_id: int, role: str, by: int | None = None) -> bool:
    """Let somebody do what the role may; says whether he could not before. Without `by`, for the console only, which
    speaks to the database as the owner of its tables: the running site is refused there.

    He signs in again: whoever holds a session of his from before does not get the role with it. Raises `NotAGranter` to
    whoever is no superuser, and to everybody about himself.
    """
    return _change("accounts_give_role" if by is None else "grant_staff", user_id, role, by)


def take_role(*, user_id: int, role: str, by: int | None = None) -> bool:
    """Take a role away; says whether he had it. It ends at once. Raises as `give_role`."""
    return _change("accounts_take_role" if by is None else "revoke_staff", user_id, role, by)


def _change(function: str, user_id: int, role: str, by: int | None) -> bool:
    require_transaction()
    if by is not None and (by == user_id or not has_staff_role(by, StaffRole.SUPERUSER)):
        raise NotAGranter("Superusers give and take roles, and nobody his own.")
    changed = bool(value(f"SELECT {function}(%s, %s, %s, %s)", [user_id, role, by, request_id()]))
    if changed:
        run(
            "DELETE FROM django_session WHERE session_key IN"
            " (SELECT session_key FROM usersessions_usersession WHERE user_id = %s)",
            [user_id],
        )
    return changed
