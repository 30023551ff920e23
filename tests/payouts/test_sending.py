"""A payout leaves at most once (R11), whatever gets lost between us and a provider."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client

from marketplace.common.database import one, rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.queries import balance
from marketplace.payouts import tasks
from marketplace.payouts.commands import sending
from marketplace.payouts.commands.payouts import approve_payout, request_payout
from marketplace.payouts.models import Payout
from marketplace.payouts.providers.base import Answer, Fate
from marketplace.payouts.providers.fake import signature
from tests.acts import broken
from tests.payouts import people
from tests.payouts.people import EURO, money_of, state_of
from tests.payouts.provider_server import ProviderServer

Clock = Callable[[timedelta], None]
Start = Callable[..., ProviderServer]
MANY = int(os.environ.get("PAYOUTS", "160"))
MINUTE = timedelta(seconds=61)
HOUR = timedelta(seconds=3_601)


def sweep_all(clock: Clock, *, rounds: int = 40) -> None:
    """Sweep, and let time pass, until nothing is on its way any more."""
    for _ in range(rounds):
        tasks.send_approved()
        tasks.look_up_sent()
        if not value("SELECT count(*) FROM payouts_payout WHERE state IN ('approved', 'sent', 'in_doubt')"):
            return
        clock(HOUR)


def tell(notices: list[dict[str, Any]]) -> list[int]:
    """Deliver notices as the provider does, over HTTP; the statuses."""
    return [post_notice(json.dumps(notice).encode()).status_code for notice in notices]


def tell_until_believed(notices: list[dict[str, Any]]) -> int:
    """As providers do: what was not taken in is told again. How often it was told in all."""
    times = 0
    while notices:
        statuses = tell(notices)
        times += len(statuses)
        assert set(statuses) <= {200, 400}
        # The clock may have been moved since the signature was made.
        notices = [notice for notice, status in zip(notices, statuses, strict=True) if status != 200]
    return times


def post_notice(body: bytes, *, at: str | None = None, signed: str | None = None, provider: str = "test") -> Any:
    stamp = at or value("SELECT market_now()").isoformat()
    return Client().post(
        f"/api/v1/payouts/notices/{provider}",
        body,
        content_type="application/json",
        headers={
            "X-Test-Timestamp": stamp,
            "X-Test-Signature": signed or signature(stamp.encode() + b"." + body),
        },
    )


def one_approved(clock: Clock) -> tuple[Any, Payout]:
    worker, destination = people.ready(clock, provider="test")
    return worker, people.approved(worker, destination, people.make_staff())


def test_what_is_approved_is_paid_once_and_the_books_say_so(
    committed: str, clock: Clock, provider_server: Start
) -> None:
    server = provider_server()
    worker, payout = one_approved(clock)

    tasks.send_approved()
    tasks.send_approved()
    tasks.look_up_sent()

    sent = Payout.objects.get(pk=payout.pk)
    assert (sent.state, sent.provider_ref) == ("settled", f"R-{sent.provider_key[-6:]}")
    assert server.paid() == {sent.provider_key: 100}
    assert server.asked == {sent.provider_key: 1}
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": 0}
    assert balance("outside:test", "EUR") == EURO
    assert broken() == []


def test_what_the_provider_refuses_comes_back(committed: str, clock: Clock, provider_server: Start) -> None:
    server = provider_server(refuse=1.0)
    worker, payout = one_approved(clock)

    tasks.send_approved()

    back = Payout.objects.get(pk=payout.pk)
    assert (back.state, back.reason) == ("returned", "the receiver is not known")
    assert server.paid() == {}
    assert money_of(worker) == {"earned": 100 * EURO, "withdrawing": 0}
    assert balance("outside:test", "EUR") == 0
    assert broken() == []


def test_no_answer_means_doubt_and_only_a_look_up_ends_it(committed: str, clock: Clock, provider_server: Start) -> None:
    server = provider_server(drop=1.0)
    worker, payout = one_approved(clock)

    tasks.send_approved()
    assert state_of(payout) == "in_doubt"
    first = server.asked.total()
    # However often it is swept, nobody asks for the payment again without a look-up that tells.
    for _ in range(10):
        clock(HOUR)
        tasks.send_approved()
        tasks.look_up_sent()
    assert state_of(payout) == "in_doubt"
    assert server.asked.total() == first
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": EURO}
    assert value("SELECT look_up_wait_s FROM payouts_payout") == 3_600

    server.drop = 0.0
    sweep_all(clock)
    assert state_of(payout) == "settled"
    assert server.paid() == {payout.provider_key: 100}


def test_look_ups_come_at_growing_intervals(committed: str, clock: Clock, provider_server: Start) -> None:
    provider_server(drop=1.0)
    one_approved(clock)
    tasks.send_approved()
    waits = []
    for _ in range(9):
        due = value("SELECT extract(epoch FROM look_up_at - market_now())::int FROM payouts_payout")
        waits.append(due)
        clock(timedelta(seconds=due - 2))
        tasks.look_up_sent()
        assert value("SELECT looked_up_at IS NULL AND state = 'in_doubt' AND lease IS NULL FROM payouts_payout")
        clock(timedelta(seconds=3))
        tasks.look_up_sent()
    assert [wait + 1 - (wait + 1) % 10 for wait in waits] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_doubt_that_lasts_a_day_is_called_out(
    committed: str, clock: Clock, provider_server: Start, caplog: pytest.LogCaptureFixture
) -> None:
    provider_server(drop=1.0)
    _, payout = one_approved(clock)
    tasks.send_approved()
    clock(timedelta(hours=23))
    tasks.look_up_sent()
    assert "is in doubt since" not in caplog.text
    clock(timedelta(hours=2))
    tasks.look_up_sent()
    assert f"payout {payout.public_id} is in doubt since" in caplog.text


def test_a_lost_notice_costs_time_only(committed: str, clock: Clock, provider_server: Start) -> None:
    server = provider_server(later=1.0)
    _, payout = one_approved(clock)
    tasks.send_approved()
    assert state_of(payout) == "sent"
    server.end_all()
    server.notices()

    clock(MINUTE)
    tasks.look_up_sent()

    assert state_of(payout) == "settled"


def test_a_notice_has_its_payout_looked_up_at_once_and_decides_nothing(
    committed: str, clock: Clock, provider_server: Start
) -> None:
    server = provider_server(later=1.0)
    worker, payout = one_approved(clock)
    tasks.send_approved()
    # The notice says that it failed. The provider, when asked, says that it did not.
    lie = {"event": "x", "key": payout.provider_key, "fate": "failed", "at": "2026-01-01T00:00:00+00:00"}
    assert tell([lie]) == [200]
    assert state_of(payout) == "sent"
    server.end_all()

    tasks.look_up_sent()

    assert state_of(payout) == "settled"
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": 0}


def test_notices_count_once_in_any_order(committed: str, clock: Clock, provider_server: Start) -> None:
    server = provider_server(later=1.0)
    worker, payout = one_approved(clock)
    tasks.send_approved()
    server.end_all()
    told = server.notices(twice=1.0)
    assert len(told) == 4

    assert tell(told[::-1] + told) == [200] * 8
    tasks.look_up_sent()
    assert tell(told) == [200] * 4
    tasks.look_up_sent()

    assert value("SELECT count(*) FROM payouts_providernotice") == 2
    assert state_of(payout) == "settled"
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": 0}


def test_an_old_notice_of_failure_does_not_undo_what_is_settled(
    committed: str, clock: Clock, provider_server: Start
) -> None:
    server = provider_server()
    worker, payout = one_approved(clock)
    tasks.send_approved()
    late = {"event": "late", "key": payout.provider_key, "fate": "failed", "at": "2026-01-01T00:00:00+00:00"}

    assert tell([late]) == [200]
    tasks.look_up_sent()

    assert state_of(payout) == "settled"
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": 0}
    assert server.asked == {payout.provider_key: 1}


def test_what_a_bank_sends_back_later_is_the_workers_again_once(
    committed: str, clock: Clock, provider_server: Start
) -> None:
    server = provider_server()
    worker, payout = one_approved(clock)
    tasks.send_approved()
    server.notices()
    server.send_back(payout.provider_key)

    assert set(tell(server.notices(twice=1.0))) == {200}
    tasks.look_up_sent()
    tasks.look_up_sent()

    back = Payout.objects.get(pk=payout.pk)
    assert (back.state, back.reason) == ("returned", "account closed")
    assert money_of(worker) == {"earned": 100 * EURO, "withdrawing": 0}
    assert balance("outside:test", "EUR") == 0
    assert broken() == []


@pytest.mark.parametrize("wrong", ["no signature", "another secret", "another body", "old", "future", "no time"])
def test_a_notice_that_is_not_signed_now_by_the_provider_changes_nothing(
    committed: str, clock: Clock, provider_server: Start, wrong: str
) -> None:
    provider_server(later=1.0)
    _, payout = one_approved(clock)
    tasks.send_approved()
    before = rows("SELECT * FROM payouts_payout")
    body = json.dumps(
        {"event": "e", "key": payout.provider_key, "fate": "settled", "at": "2026-01-01T00:00:00+00:00"}
    ).encode()
    now = value("SELECT market_now()")
    options: dict[str, Any] = {
        "no signature": {"signed": "0"},
        "another secret": {"signed": "ab" * 32},
        "another body": {"at": now.isoformat(), "signed": signature(now.isoformat().encode() + b"." + body + b" ")},
        "old": {"at": (now - timedelta(minutes=6)).isoformat()},
        "future": {"at": (now + timedelta(minutes=6)).isoformat()},
        "no time": {"at": "now"},
    }[wrong]

    reply = post_notice(body, **options)

    assert (reply.status_code, reply.json()["type"]) == (400, "/problems/notice-refused")
    assert rows("SELECT * FROM payouts_payout") == before
    assert value("SELECT count(*) FROM payouts_providernotice") == 0
    # The same, signed, is believed: it was refused for its signature and nothing else.
    assert post_notice(body).status_code == 200


def test_a_notice_that_is_replayed_later_is_refused_and_one_replayed_at_once_counts_once(
    committed: str, clock: Clock, provider_server: Start
) -> None:
    provider_server(later=1.0)
    _, payout = one_approved(clock)
    tasks.send_approved()
    body = json.dumps(
        {"event": "e", "key": payout.provider_key, "fate": "settled", "at": "2026-01-01T00:00:00+00:00"}
    ).encode()
    stamp = value("SELECT market_now()").isoformat()

    assert [post_notice(body, at=stamp).json() for _ in range(3)] == [{"new": 1}, {"new": 0}, {"new": 0}]
    clock(timedelta(minutes=6))
    assert post_notice(body, at=stamp).status_code == 400


def test_those_who_forge_notices_are_slowed_down(committed: str, provider_server: Start, settings: Any) -> None:
    provider_server()
    settings.THROTTLES = {**settings.THROTTLES, "payout-notice": "3 per hour"}

    assert [post_notice(b"{}", signed="0").status_code for _ in range(5)] == [400, 400, 400, 429, 429]
    assert post_notice(b"x" * 300_000).status_code in (413, 429)


def test_a_payment_that_is_none_of_ours_is_kept_for_people(
    committed: str, provider_server: Start, caplog: pytest.LogCaptureFixture
) -> None:
    provider_server()
    strange = {"event": "e", "key": "ts-unknown", "fate": "settled", "at": "2026-01-01T00:00:00+00:00"}

    assert tell([strange]) == [200]

    assert rows("SELECT key, payout_id FROM payouts_providernotice") == [("ts-unknown", None)]
    assert "none of ours" in caplog.text


def test_a_notice_larger_than_a_notice_is_not_read(committed: str, provider_server: Start) -> None:
    provider_server()
    assert post_notice(b"x" * 300_000).status_code == 413
    assert post_notice(b"{}", provider="manual").status_code == 404


def test_a_sender_that_was_overtaken_writes_nothing(committed: str, clock: Clock, provider_server: Start) -> None:
    server = provider_server()
    worker, payout = one_approved(clock)
    with one_transaction(principal="test"):
        (slow,) = sending.take_approved(providers=["test"], limit=1)
    with one_transaction(principal="test"):
        assert sending.take_approved(providers=["test"], limit=1) == []
    clock(MINUTE)
    sweep_all(clock)
    assert state_of(payout) == "settled"

    with one_transaction(principal="test"):
        assert not sending.record_refusal(slow, "too late")
    with one_transaction(principal="test"):
        assert not sending.record_doubt(slow)

    assert state_of(payout) == "settled"
    assert server.asked == {payout.provider_key: 1}
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": 0}


def test_a_slow_sender_does_not_speak_for_the_one_who_sends_again(
    committed: str, clock: Clock, provider_server: Start
) -> None:
    provider_server()
    worker, payout = one_approved(clock)
    with one_transaction(principal="test"):
        (slow,) = sending.take_approved(providers=["test"], limit=1)
    clock(MINUTE)
    with one_transaction(principal="test"):
        assert sending.doubt_unanswered() == 1
    clock(MINUTE)
    with one_transaction(principal="test"):
        (second,) = sending.take_to_look_up(providers=["test"], limit=1)
    with one_transaction(principal="test"):
        assert sending.record_look_up(second, None)
    assert state_of(payout) == "sent"

    # His refusal is of a call that nobody waits for any more; the other one is out, and may be paid.
    with one_transaction(principal="test"):
        assert not sending.record_refusal(slow, "too late")
    assert state_of(payout) == "sent"
    with one_transaction(principal="test"):
        assert not sending.record_look_up(slow, Answer(Fate.FAILED))
    with one_transaction(principal="test"):
        assert sending.record_answer(second, Answer(Fate.SETTLED))

    assert state_of(payout) == "settled"
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": 0}


def test_twenty_senders_at_once_ask_once_for_each_payout(
    committed: str, clock: Clock, provider_server: Start, together: Callable[..., list[Any]], generous: None
) -> None:
    server = provider_server()
    worker, destination = people.ready(clock, provider="test")
    staff = people.make_staff()
    for _ in range(10):
        people.approved(worker, destination, staff)

    def take() -> list[str]:
        with one_transaction(principal="test"):
            return [held.key for held in sending.take_approved(providers=["test"], limit=2)]

    taken = [key for keys in together([take] * 20) for key in keys]

    assert len(taken) == len(set(taken)) == 10
    assert server.asked == {}


class Crash(BaseException):
    """The process is gone: nothing catches this."""


# Each place between the wish and its record where a process can die: the function, and on which side of it. What comes
# after a function inside of a transaction comes before its commit.
SENDING = [
    (tasks, "take_approved", "before"),
    (tasks, "take_approved", "after"),
    (tasks, "_send", "before"),
    (tasks, "_pay", "before"),
    (tasks, "_pay", "after"),
    (tasks, "record_answer", "before"),
    (sending, "move", "before"),
    (sending, "move", "after"),
    (tasks, "record_answer", "after"),
    (tasks, "_send", "after"),
]
DOUBTING = [
    (tasks, "record_doubt", "before"),
    (tasks, "record_doubt", "after"),
    (tasks, "doubt_unanswered", "after"),
    (tasks, "take_to_look_up", "before"),
    (tasks, "take_to_look_up", "after"),
    (tasks, "_look_up", "before"),
    (tasks, "_look_up", "after"),
    (tasks, "record_look_up", "before"),
    (tasks, "record_look_up", "after"),
    (tasks, "_looked_up", "after"),
    (tasks, "_send", "before"),
    (tasks, "_pay", "before"),
    (tasks, "_pay", "after"),
    (tasks, "record_answer", "before"),
    (tasks, "record_answer", "after"),
]


def crash_at(patch: pytest.MonkeyPatch, room: Any, name: str, side: str) -> None:
    """The next call of the function is the last thing that its process does."""
    real, gone = getattr(room, name), Event()

    def dying(*args: Any, **kwargs: Any) -> Any:
        if gone.is_set():
            return real(*args, **kwargs)
        if side == "before":
            gone.set()
            raise Crash
        done = real(*args, **kwargs)
        # Looking for work that is not there yet is not the step that is meant.
        if done or name not in ("doubt_unanswered", "take_approved", "take_to_look_up"):
            gone.set()
            raise Crash
        return done

    patch.setattr(room, name, dying)


@pytest.mark.parametrize("lost", ["nothing", "before", "after"])
def test_a_crash_at_any_step_of_sending_ends_in_exactly_one_payment(
    committed: str, clock: Clock, provider_server: Start, generous: None, lost: str
) -> None:
    server = provider_server()
    worker, destination = people.ready(clock, provider="test")
    staff = people.make_staff()
    crashed = []
    points = SENDING if lost == "nothing" else DOUBTING
    for number, (room, name, side) in enumerate(points, 1):
        payout = people.approved(worker, destination, staff)
        faults = iter([lost] if lost != "nothing" else [])
        server.fault = lambda faults=faults: next(faults, "")  # type: ignore[method-assign]
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, room, name, side)
            for _ in range(6):
                for sweep in (tasks.send_approved, tasks.look_up_sent):
                    try:
                        sweep()
                    except Crash:
                        crashed.append((name, side))
                        # The turn of a dead process ends by itself.
                        run("UPDATE payouts_turn SET until = market_now() - interval '1 second'")
                clock(MINUTE)
        sweep_all(clock)
        assert state_of(payout) == "settled", (name, side)
        assert server.paid() == dict.fromkeys(server.orders, 100)
        assert len(server.orders) == number
        assert money_of(worker) == {"earned": (100 - number) * EURO, "withdrawing": 0}
    assert set(crashed) >= {(name, side) for _, name, side in points} - NOT_REACHED[lost]
    assert broken() == []


# Where the answer got lost after the work was done, the look-up finds it and nothing is sent again; and whoever records
# his doubt leaves nothing that was never answered.
RESENT = {
    ("_send", "before"),
    ("_pay", "before"),
    ("_pay", "after"),
    ("record_answer", "before"),
    ("record_answer", "after"),
}
NOT_REACHED: dict[str, set[tuple[str, str]]] = {
    "nothing": set(),
    "before": {("doubt_unanswered", "after")},
    "after": {("doubt_unanswered", "after"), *RESENT},
}


def test_through_lost_doubled_and_reordered_messages_everybody_is_paid_exactly_once(
    committed: str,
    clock: Clock,
    provider_server: Start,
    generous: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With PAYOUTS=5000 in the environment as many as the promise names."""
    server = provider_server(seed=7, drop=0.3, later=0.3, refuse=0.03, fail=0.05)
    staff = people.make_staff()
    workers = [people.make_payee(MANY * EURO) for _ in range(20)]
    places = [people.add(worker, provider="test") for worker in workers]
    clock(people.HOLD)
    total = 0
    for number, (worker, place) in enumerate(zip(workers, places, strict=True)):
        with one_transaction(principal="test"):
            for n in range(MANY // 20):
                amount = EURO + 10_000 * ((number + n) % 97)
                total += amount
                payout = request_payout(
                    user_id=worker.user_id,
                    holder=worker.public_id,
                    destination=place.public_id,
                    amount_micros=amount,
                    currency="EUR",
                )
                approve_payout(public_id=payout.public_id, by=staff.pk)
    # Several processes at once, without taking turns, so that only leases and locks keep them apart.
    settings.THROTTLES = {**settings.THROTTLES, "payout-notice": "100000 per hour"}
    monkeypatch.setattr(tasks, "take_turn", lambda **_: uuid4())
    monkeypatch.setattr(tasks, "end_turn", lambda **_: None)
    told: list[int] = []
    over = Event()

    def repeatedly(work: Callable[[], Any]) -> None:
        try:
            while not over.is_set():
                work()
                over.wait(0.05)
        finally:
            connections.close_all()

    def send() -> None:
        tasks.send_approved()

    def look_up() -> None:
        tasks.look_up_sent()

    jobs = [send, send, look_up, look_up, lambda: told.append(tell_until_believed(server.notices(twice=0.3)))]
    threads = [Thread(target=repeatedly, args=[job], daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    open_ones = "SELECT count(*) FROM payouts_payout WHERE state IN ('approved', 'sent', 'in_doubt')"
    people.wait_until(lambda: value("SELECT count(*) FROM payouts_payout WHERE state = 'approved'") == 0, 300)
    for number in range(600):
        if not value(open_ones):
            break
        # Leases run out under those who work, too; and what waits in doubt for long need not be waited for.
        clock(MINUTE if number < 10 else HOUR)
        over.wait(0.3)
    over.set()
    for thread in threads:
        thread.join(timeout=60)
    told.append(tell_until_believed(server.notices()))

    ours = dict(
        rows("SELECT provider_key, (amount_micros / 10000)::bigint FROM payouts_payout WHERE state = 'settled'")
    )
    states = dict(rows("SELECT state, count(*) FROM payouts_payout GROUP BY 1"))
    print(f"\n{MANY} payouts: {states}; {server.lost} answers lost; {sum(told)} notices told")
    assert set(states) == {"settled", "returned"}
    assert sum(states.values()) == MANY // 20 * 20
    # The provider's books and ours, payment by payment and to the unit.
    assert ours == server.paid()
    assert balance("outside:test", "EUR") == sum(server.paid().values()) * 10_000
    earned = sum(money_of(worker)["earned"] for worker in workers)
    assert earned == 20 * MANY * EURO - balance("outside:test", "EUR")
    assert all(money_of(worker)["withdrawing"] == 0 for worker in workers)
    assert total > balance("outside:test", "EUR") > 0
    assert sum(told) > MANY
    assert one("SELECT count(*) FROM payouts_payout WHERE state = 'in_doubt'") == (0,)
    assert server.lost > MANY // 4
    assert broken() == []
