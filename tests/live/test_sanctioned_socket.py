"""What a sanction does to sockets: a ban closes those of the person, anything else is a hint to look."""

from datetime import timedelta

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.accounts.models import Sanction
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api_client import key_for
from tests.live.communicators import Socket
from tests.live.test_streams_socket import run
from tests.live.test_worker_socket import PAGE, opened, socket
from workers.live import watch as watching
from workers.live.listener import listener
from workers.profiles.commands.links import link_accounts
from workers.profiles.models import Worker


def sanction(worker: Worker, measure: str = "ban") -> Sanction:
    staff = make.make_user()
    with one_transaction(principal="test"):
        return impose(
            user_id=worker.user_id, scope="platform", scope_id=None, measure=measure, reason="spam", words="Stop.",
            evidence={"note": "n"}, life=timedelta(hours=1), made_by=staff.pk,
        )  # fmt: skip


def linked(*workers: Worker) -> None:
    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email).pk
    with one_transaction(principal="test"):
        link_accounts(workers=[worker.public_id for worker in workers], reason="one phone", by=staff)


def test_a_ban_closes_the_sockets_of_all_accounts_and_no_new_one_opens(db: None) -> None:
    one, two, other = (make.make_worker() for _ in range(3))
    linked(one, two)
    keys = [key_for(worker.user, "worker") for worker in (one, two, other)]

    async def story() -> None:
        first, second, third = [(await opened(key))[0] for key in keys]
        made = await database_sync_to_async(sanction)(one)
        await listener().watch.look()
        assert await first.closed_with() == 4403
        assert await second.closed_with() == 4403
        assert await third.receive_nothing(timeout=0.2)
        await third.leave()
        for key in keys[:2]:
            assert await socket(key).connect() == (False, 4403)
        late = Socket(origin=PAGE)
        assert (await late.connect())[0]
        await late.send_json({"type": "authenticate", "key": keys[0]})
        assert await late.closed_with() == 4403
        # Over HTTP he still sees what is his.
        shown = await database_sync_to_async(Client().get)(
            "/api/v1/worker/earnings", headers={"Authorization": f"Bearer {keys[0]}"}
        )
        assert shown.status_code == 200
        await database_sync_to_async(lift_it)(made)
        back, _ = await opened(keys[0])
        await listener().watch.look()
        assert await back.receive_nothing(timeout=0.2)
        await back.leave()

    run(story)


def lift_it(made: Sanction) -> None:
    with one_transaction(principal="test"):
        lift(sanction_id=made.pk, reason="a mistake")


def test_a_ban_reaches_open_sockets_within_five_seconds(db: None) -> None:
    assert watching.EVERY_S <= 4.5
    worker = make.make_worker()
    key = key_for(worker.user, "worker")

    async def story() -> None:
        connected, _ = await opened(key)
        await database_sync_to_async(sanction)(worker)
        assert await connected.closed_with() == 4403  # by the watch's own rounds; the test waits for ten at most

    run(story)


def test_a_limit_closes_nothing_and_is_in_the_next_snapshot(db: None) -> None:
    one = make.make_worker()
    key = key_for(one.user, "worker")

    async def story() -> None:
        connected, before = await opened(key)
        await database_sync_to_async(sanction)(one, "limit")
        await listener().watch.look()
        await connected.send_json({"type": "snapshot"})
        after = await connected.receive_json()
        assert (before["sanctions"], [row["measure"] for row in after["sanctions"]]) == ([], ["limit"])
        await connected.leave()

    run(story)


def test_without_the_look_at_bans_the_socket_would_stay(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant that shows that the test above tests the watch."""
    worker = make.make_worker()
    key = key_for(worker.user, "worker")
    found = watching.standings
    monkeypatch.setattr(
        watching, "standings", lambda holders: [stand._replace(banned=False) for stand in found(holders)]
    )

    async def story() -> None:
        connected, _ = await opened(key)
        await database_sync_to_async(sanction)(worker)
        await listener().watch.look()
        assert await connected.receive_nothing(timeout=0.2)
        await connected.leave()

    run(story)
