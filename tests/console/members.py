"""Members of an organisation, and their browsers."""

from typing import Any

from django.test import Client
from django.urls import reverse

from marketplace.accounts.models import Member, Requester
from tests import factories as make
from tests.web.visitors import client_of, key_in

# The first request loads every view; see `tests.web.visitors`.
reverse("console")


def member(requester: Requester, role: str) -> Client:
    """The browser of somebody new with this role."""
    user = make.make_user()
    Member.objects.create(requester=requester, user=user, role=role)
    return client_of(user)


def owner(requester: Requester) -> Client:
    """The browser of its owner."""
    return client_of(make.owner_of(requester))


def send(client: Client, address: str, *, to: str = "", **said: Any) -> Any:
    """Fill in the form of a page and send it, to its own address or another."""
    key = key_in(client.get(address))
    return client.post(to or address, {"form_key": key, **said})
