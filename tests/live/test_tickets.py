"""Tickets: single use, short-lived, bound to the key or the session by which they were asked for (R27)."""

from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from marketplace.accounts.commands.tickets import Holder, forget_tickets, issue_ticket, use_ticket
from marketplace.accounts.models import ApiKey, Member, Ticket
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api_client import Api, code_of, key_for
from tests.live.communicators import Socket
from tests.live.test_streams_socket import run
from tests.live.test_worker_socket import PAGE, code_of_end
from workers.live.listener import listener


def ticket(key: str, socket: str = "worker") -> str:
    made = Api(key).post("/tickets", {"socket": socket})
    assert made.status_code == 201, made.content
    return str(made.json()["ticket"])


async def opened_by(text: str) -> Socket:
    socket = Socket(origin=PAGE)
    assert (await socket.connect())[0]
    await socket.send_json({"type": "authenticate", "ticket": text})
    await socket.hello()
    return socket


def test_a_ticket_opens_one_socket_and_no_second(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")
    text = ticket(key)

    async def story() -> None:
        socket = await opened_by(text)
        again = Socket(origin=PAGE)
        await again.connect()
        await again.send_json({"type": "authenticate", "ticket": text})
        assert await code_of_end(again) == 4401
        assert (await socket.join())["type"] == "snapshot"
        await socket.leave()

    run(story)


def test_of_two_who_use_it_at_once_one_is_let_in(committed: str, together: Any) -> None:
    user = make.make_worker().user
    text = ticket(key_for(user, "worker"))

    def use() -> Holder | None:
        with one_transaction(principal="test"):
            return use_ticket(text=text, socket="worker")

    found = together([use, use, use, use])
    assert [one.user_id for one in found if one is not None] == [user.pk]


@pytest.mark.parametrize(("wait_s", "socket"), [(31, "worker"), (0, "requester")])
def test_one_that_is_too_old_or_for_another_socket_opens_nothing(
    db: None, clock: Any, wait_s: int, socket: str
) -> None:
    text = ticket(key_for(make.make_worker().user, "worker"))
    clock(timedelta(seconds=wait_s))
    with one_transaction(principal="test"):
        assert use_ticket(text=text, socket=socket) is None
    assert not Ticket.objects.exists()


def test_a_key_without_the_scope_gets_no_ticket_and_a_stranger_none(db: None) -> None:
    key = key_for(make.make_worker().user, "worker")
    assert code_of(Api(key).post("/tickets", {"socket": "admin"})) == "wrong-scope"
    assert Api().post("/tickets", {"socket": "worker"}).status_code in (401, 403)
    assert not Ticket.objects.exists()


def test_only_a_digest_is_kept_and_old_ones_are_forgotten(db: None, clock: Any) -> None:
    text = ticket(key_for(make.make_worker().user, "worker"))
    assert text not in str(Ticket.objects.values().get())
    clock(timedelta(seconds=31))
    with one_transaction(principal="test"):
        assert forget_tickets(10) == 1


def end_session(worker: Any, session: SessionStore) -> None:
    session.delete()


def change_password(worker: Any, session: SessionStore) -> None:
    worker.user.set_password("another long pass phrase")
    worker.user.save()


def close_account(worker: Any, session: SessionStore) -> None:
    worker.user.is_active = False
    worker.user.save()


def change_role(worker: Any, session: SessionStore) -> None:
    Member.objects.filter(user=worker.user).update(role="viewer")


@pytest.mark.parametrize("ends", [end_session, change_password, close_account, change_role])
def test_what_ends_a_session_ends_its_socket(db: None, ends: Any) -> None:
    worker, requester = make.make_worker(), make.make_requester()
    Member.objects.create(requester=requester, user=worker.user, role="manager")
    session = SessionStore()
    session.create()
    with one_transaction(principal="test"):
        text, _ = issue_ticket(user_id=worker.user_id, socket="worker", session_key=session.session_key)

    async def story() -> None:
        socket = await opened_by(text)
        await listener().watch.look()
        assert await socket.receive_nothing(timeout=0.1)
        await database_sync_to_async(ends)(worker, session)
        await listener().watch.look()
        assert await socket.closed_with() == 4401

    run(story)


def test_the_socket_of_a_ticket_ends_with_the_key_behind_it(db: None) -> None:
    worker = make.make_worker()
    text = ticket(key_for(worker.user, "worker"))

    async def story() -> None:
        socket = await opened_by(text)
        await database_sync_to_async(ApiKey.objects.filter(user=worker.user).delete)()
        await listener().watch.look()
        assert await socket.closed_with() == 4401

    run(story)


def test_a_page_gets_a_ticket_by_its_session(db: None, client: Any) -> None:
    worker = make.make_worker()
    client.force_login(worker.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    made = client.post(
        "/api/v1/tickets", {"socket": "worker"}, content_type="application/json", headers={"Idempotency-Key": "k"}
    )
    assert made.status_code == 201, made.content
    kept = Ticket.objects.get()
    assert (kept.user_id, kept.key_digest, kept.session_key) == (worker.user_id, None, client.session.session_key)


def test_a_ticket_is_bound_to_a_key_or_a_session_whatever_a_program_does(db: None) -> None:
    from django.db import IntegrityError, transaction

    user = make.make_user()
    with pytest.raises(IntegrityError, match="ticket_bound"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_ticket (digest, user_id, socket, expires_at) VALUES ('d', %s, 'worker', now())",
            [user.pk],
        )
