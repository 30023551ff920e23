"""Staff at their browsers, with a second factor that was shown in the session."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.test import Client

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import Act, User
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.payouts import people
from tests.web.visitors import client_of, key_in


def make_staff(role: str = "superuser") -> User:
    """A member of the staff with a role, a password and a second factor."""
    with one_transaction(principal="console"):
        user = ensure_staff(email=make.make_user().email, role=role)
    user.set_password(people.PASSWORD)
    user.save(update_fields=["password"])
    people.enrol(user)
    return user


def show_code(client: Client) -> Client:
    """The session as it is once a code of the second factor was shown."""
    request = HttpRequest()
    request.session = client.session
    record_authentication(request, get_user(request), "mfa", type="totp")
    request.session.save()
    return client


def at_desk(user: User) -> Client:
    """The person at his browser."""
    return show_code(client_of(user))


def desk(role: str = "superuser") -> Client:
    """Somebody of the staff at his browser."""
    return at_desk(make_staff(role))


def send(client: Client, at: str, **fields: Any) -> Any:
    """The form of a page, filled in and sent."""
    return client.post(at, {"form_key": key_in(client.get(at)), **fields})


def told(act: str) -> list[Act]:
    """The rows of the audit log about an act."""
    return list(Act.objects.filter(act=act).order_by("pk"))
