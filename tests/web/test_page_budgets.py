"""What a page of a worker costs: statements of the database, whatever there is to show, and bytes to fetch."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from tests import factories as make
from tests.browser.worlds import Past, pages_of, with_past
from tests.web.visitors import client_of
from workers.profiles.models import Worker

# By page: the most statements, with the four that every page costs a worker (session, person, worker, unread news).
STATEMENTS = {
    "board": 20,
    "preview": 25,
    "player": 15,
    "profile": 12,
    "destinations": 12,
    "earnings": 28,
    "answers": 14,
    "answer": 14,
    "statement": 30,
    "withdraw": 22,
    "standing": 20,
    "rejections": 14,
    "appeals": 12,
    "contest": 12,
    "news": 12,
}


def seen_by(past: Past) -> dict[str, int]:
    """How many statements each page takes, once what a process reads once is read."""
    client: Client = client_of(past.worker.user)
    counted = {}
    for name, path in pages_of(past).items():
        assert client.get(path).status_code == 200, path
        with CaptureQueriesContext(
            connection,
        ) as caught:
            client.get(path)
        counted[name] = len(caught)
    return counted


def newcomer() -> Worker:
    return Worker.objects.create(user=make.make_user(), country="DE", languages=["en"])


@pytest.fixture(scope="session")
def addresses() -> None:
    """What a process reads once, and slowly, is read before a transaction is open that may not sleep."""
    _ = get_resolver().url_patterns


@pytest.fixture
def busy(addresses: None, db: None) -> Past:
    """Beside others' batches, of which each would cost statements if pages asked for them one by one."""
    past = with_past(newcomer(), tasks=20, answers=10)
    for _ in range(6):
        make.take(past.worker, make.make_batch(2, overlap=1))
    return past


def test_pages_ask_the_database_few_times_however_much_there_is_to_show(busy: Past) -> None:
    much = seen_by(busy)
    little = seen_by(with_past(newcomer()))

    assert much.keys() == STATEMENTS.keys()
    assert {name: count for name, count in much.items() if count > STATEMENTS[name]} == {}
    assert {name: (little[name], count) for name, count in much.items() if count > little[name] + 2} == {}
