"""The crowd through the API, on a server of this test's own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.db import connections

from marketplace.accounts.commands import create_key
from marketplace.accounts.models import Scope
from marketplace.common.database import rows
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.crowd.client import Session
from tests.crowd.over_http import act_over_http
from tests.crowd.promised import promised_crowd
from tests.crowd.questions import make_questions
from tests.crowd.staging import published_batch
from workers.profiles.models import Worker

pytestmark = pytest.mark.committed


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, format: str, *args: object) -> None: ...

    def finish(self) -> None:
        super().finish()
        connections.close_all()


@pytest.fixture
def site(committed: str) -> Iterator[str]:
    """The product behind a socket, in threads of this process."""
    from marketplace.wsgi import application

    server = make_server("127.0.0.1", 0, application, server_class=_Server, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def session(site: str, worker: Worker) -> Session:
    with one_transaction(principal="test"):
        return Session(site, create_key(user=worker.user, name="crowd", scopes=[Scope.WORKER], life=timedelta(1))[1])


def test_a_crowd_fills_a_batch_over_http_and_each_answer_is_its_persons(site: str) -> None:
    people = promised_crowd(10, seed=1, turns_after=5, extras=False)
    questions = make_questions(16, 4, seed=1)
    batch = published_batch(questions, overlap=3, lease_cap=5)
    workers = [make.make_worker() for _ in people]

    hands = act_over_http(people, [session(site, worker) for worker in workers], str(batch.public_id), questions)

    stored = rows(
        "SELECT t.external_id, a.worker_id, w.values ->> 'label' FROM assignments_answer w"
        " JOIN assignments_assignment a ON a.id = w.assignment_id JOIN batches_task t ON t.id = a.task_id"
    )
    assert sum(hand.stored for hand in hands) == len(stored)
    filled = Counter(name for name, _, _ in stored)
    assert all(filled[question.name] == 3 for question in questions if not question.gold)
    truth = {question.name: question.truth for question in questions}
    by_worker = {worker.pk: person for worker, person in zip(workers, people, strict=True)}
    for name, worker, label in stored:
        person = by_worker[worker]
        if person.kind != "sleeper":
            assert label == person.answer(name, truth[name], ("animal", "building", "plant", "vehicle"))
    assert not [finding.name for finding in check_promises() if finding.violations]
