"""Who looks at pages in these tests, and how what they see is read."""

import re
from html import unescape
from typing import Any

from django.conf import settings
from django.test import Client
from django.urls import reverse

from marketplace.accounts.models import User
from tests import factories as make
from tests.api_client import Api
from workers.profiles.models import Worker

# The first request loads every view. On a busy machine that takes longer than a test's transaction may sit idle.
reverse("work_board")


def client_of(user: User) -> Client:
    """Somebody signed in."""
    client = Client(REMOTE_ADDR=Api().address)
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def visitor(**profile: Any) -> tuple[Client, Worker]:
    """A worker, and his browser."""
    worker = Worker.objects.create(user=make.make_user(), **profile)
    return client_of(worker.user), worker


def text_of(response: Any) -> str:
    """What can be read on a page, or in a piece of one, in one line."""
    markup = response if isinstance(response, str) else response.content.decode()
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", markup, flags=re.DOTALL)
    return re.sub(r"[\s\u00a0]+", " ", unescape(re.sub(r"<[^>]+>", " ", page))).strip()


def key_in(response: Any) -> str:
    """The hidden key of the form on a page."""
    found = re.search(r'name="form_key" value="([^"]+)"', response.content.decode())
    assert found, "the page has no form"
    return found[1]
