"""People of an organisation at their browsers."""

from django.test import Client

from marketplace.accounts.models import Member, Requester, User
from tests import factories as make
from tests.web.visitors import client_of


def make_member(requester: Requester, role: str = "viewer", **fields: str) -> User:
    """Somebody with a role there."""
    user = make.make_user(**fields)
    Member.objects.create(requester=requester, user=user, role=role)
    return user


def browser_of(requester: Requester, role: str = "owner") -> Client:
    """The browser of the founder, or of somebody new with another role."""
    return client_of(make.owner_of(requester) if role == "owner" else make_member(requester, role))
