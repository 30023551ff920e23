"""Asking for money, deciding on it, and paying it by file."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from marketplace.accounts.commands import give_role
from marketplace.common.database import rows, value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.queries import balance
from marketplace.payouts import tasks
from marketplace.payouts.commands.payouts import approve_payout, cancel_payout, refuse_payout
from marketplace.payouts.models import Payout
from tests import factories as make
from tests.acts import broken
from tests.api.callers import Caller, caller_for
from tests.payouts import people
from tests.payouts.people import EURO, money_of, state_of
from workers.assignments.commands.decide import accept_answers
from workers.earnings.commands import withdraw
from workers.earnings.tasks import withdraw_above_thresholds
from workers.profiles.models import Worker

Clock = Callable[[timedelta], None]


def staff_caller() -> Caller:
    return caller_for(people.make_staff(), "staff")


def proven(clock: Clock, worker: Worker, place: Any, boss: Caller) -> None:
    """One payout to the destination has arrived, so that the next need no review."""
    payout = people.ask(worker, place)
    boss.post(f"payouts/{payout.public_id}/approve").expect(200)
    made = boss.post("payout-runs", {"provider": "manual", "currency": "EUR"}).expect(201)
    staff_caller().post(f"payout-runs/{made['id']}/release").expect(200)
    boss.post(f"payout-runs/{made['id']}/outcomes", {"outcome": "settled"}).expect(200)
    clock(timedelta(hours=24))


BAD = {
    "negative": ({"amount_micros": -EURO}, 422, "invalid"),
    "zero": ({"amount_micros": 0}, 422, "invalid"),
    "less than a cent": ({"amount_micros": 1}, 422, "amount-invalid"),
    "a fraction of a cent": ({"amount_micros": EURO + 1}, 422, "amount-invalid"),
    "below the minimum": ({"amount_micros": EURO - 10_000}, 422, "amount-invalid"),
    "above the maximum": ({"amount_micros": 5_000 * EURO + 10_000}, 422, "amount-invalid"),
    "huge": ({"amount_micros": 10**30}, 422, "invalid"),
    "a fraction": ({"amount_micros": 1.5}, 422, "invalid"),
    "an exponent": ({"amount_micros": 1e6}, 422, "invalid"),
    "text": ({"amount_micros": "1000000"}, 422, "invalid"),
    "true": ({"amount_micros": True}, 422, "invalid"),
    "null": ({"amount_micros": None}, 422, "invalid"),
    "more than there is": ({"amount_micros": 101 * EURO}, 409, "not-enough-funds"),
    "another currency": ({"currency": "USD"}, 422, "amount-invalid"),
    "no currency": ({"currency": "EURO"}, 422, "invalid"),
    "nobody's destination": ({"destination": str(uuid4())}, 404, "no-such-destination"),
    "no destination": ({"destination": "x"}, 422, "invalid"),
    "another's holder": ({"holder": str(uuid4())}, 400, "unknown-field"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_request_is_refused_and_nothing_changes(committed: str, clock: Clock, bad: str) -> None:
    worker, place = people.ready(clock)
    me = caller_for(worker.user, "worker")
    good = {"destination": str(place.public_id), "currency": "EUR", "amount_micros": EURO}
    change, status, code = BAD[bad]
    before = rows("SELECT key FROM ledger_transfer")

    refused = me.post("worker/payouts", {**good, **change})

    assert (refused.status, refused.code) == (status, code), refused.body
    named = {error["field"] for error in refused.json.get("errors", [])} | set(refused.json.get("fields", []))
    assert named == (set() if status in (404, 409) else set(change))
    assert Payout.objects.count() == 0
    assert rows("SELECT key FROM ledger_transfer") == before
    assert money_of(worker) == {"earned": 100 * EURO, "withdrawing": 0}
    me.post("worker/payouts", good).expect(201)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_not_json(committed: str, clock: Clock, number: str) -> None:
    worker, place = people.ready(clock)
    raw = f'{{"destination": "{place.public_id}", "currency": "EUR", "amount_micros": {number}}}'.encode()

    assert caller_for(worker.user, "worker").call("POST", "worker/payouts", raw=raw).status == 400

    assert Payout.objects.count() == 0


def test_what_is_missing_is_said(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock, 3 * EURO)
    body = {"destination": str(place.public_id), "currency": "EUR", "amount_micros": 5 * EURO}

    refused = caller_for(worker.user, "worker").post("worker/payouts", body)

    assert refused.json["missing_micros"] == 2 * EURO
    assert refused.json["detail"] == "You ask for 5.00 EUR and have 3.00 EUR: 2.00 EUR is missing."


def test_anothers_destination_looks_like_none(committed: str, clock: Clock) -> None:
    thief, _ = people.ready(clock)
    _, hers = people.ready(clock)
    me = caller_for(thief.user, "worker")
    replies = [
        me.post("worker/payouts", {"destination": str(one), "currency": "EUR", "amount_micros": EURO})
        for one in (hers.public_id, uuid4())
    ]

    assert [(reply.status, reply.code) for reply in replies] == [(404, "no-such-destination")] * 2
    assert replies[0].body == replies[1].body
    assert Payout.objects.count() == 0


def test_a_repeat_asks_once_and_one_with_other_terms_is_refused(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock)
    me = caller_for(worker.user, "worker")
    body = {"destination": str(place.public_id), "currency": "EUR", "amount_micros": EURO}

    first = me.post("worker/payouts", body, key="k")
    again = me.post("worker/payouts", body, key="k")
    other = me.post("worker/payouts", {**body, "amount_micros": 2 * EURO}, key="k")

    assert (first.status, again.body) == (201, first.body)
    assert (other.status, other.code) == (422, "idempotency-key-reused")
    assert Payout.objects.count() == 1
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": EURO}


@pytest.mark.parametrize("round_", range(4))
def test_of_sixty_four_who_withdraw_the_last_unit_one_gets_it(
    committed: str, clock: Clock, together: Callable[..., list[Any]], generous: None, round_: int
) -> None:
    worker, place = people.ready(clock, EURO)

    def client() -> Any:
        with one_transaction(principal="test"):
            return withdraw(
                worker_id=worker.pk, destination=place.public_id, currency="EUR", amount_micros=EURO
            ).public_id

    results = together([client] * 64)

    assert sum(isinstance(result, NotEnough) for result in results) == 63
    assert Payout.objects.count() == 1
    assert money_of(worker) == {"earned": 0, "withdrawing": EURO}
    assert value("SELECT count(*) FROM ledger_transfer WHERE kind = 'payout'") == 1
    assert broken() == []


def test_requests_at_once_do_not_pass_the_limit_of_a_day(
    committed: str, clock: Clock, together: Callable[..., list[Any]], settings: Any
) -> None:
    settings.PAYOUT_DAILY_COUNT = 5
    worker, place = people.ready(clock)

    results = together([lambda: people.ask(worker, place)] * 16)

    assert sum(isinstance(result, Payout) for result in results) == 5
    assert {result.code for result in results if not isinstance(result, Payout)} == {"payout-limit"}
    assert money_of(worker) == {"earned": 95 * EURO, "withdrawing": 5 * EURO}


def test_the_limit_of_a_day_is_one_of_money_too_and_ends_with_it(committed: str, clock: Clock, settings: Any) -> None:
    settings.PAYOUT_DAILY_MICROS = 10 * EURO
    worker, place = people.ready(clock)
    me = caller_for(worker.user, "worker")
    body = {"destination": str(place.public_id), "currency": "EUR", "amount_micros": 8 * EURO}
    first = me.post("worker/payouts", body).expect(201)

    refused = me.post("worker/payouts", body)

    assert (refused.code, refused.json["left_micros"]) == ("payout-limit", 2 * EURO)
    me.post(f"worker/payouts/{first['id']}/cancel").expect(200)
    me.post("worker/payouts", body).expect(201)
    clock(timedelta(hours=24))
    me.post("worker/payouts", body).expect(201)


def test_without_an_amount_all_whole_cents_go(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock, 3 * EURO + 12_345)
    body = {"destination": str(place.public_id), "currency": "EUR"}

    asked = caller_for(worker.user, "worker").post("worker/payouts", body).expect(201)

    assert asked["amount_micros"] == 3 * EURO + 10_000
    assert money_of(worker) == {"earned": 2_345, "withdrawing": 3 * EURO + 10_000}


def test_what_is_due_is_paid_before_a_withdrawal(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock, EURO)
    batch = make.make_batch(tasks=2)
    leases = make.take(worker, batch)
    make.answer(worker, leases)
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=None)
    assert money_of(worker) == {"earned": EURO, "withdrawing": 0}

    with one_transaction(principal="test"):
        withdraw(worker_id=worker.pk, destination=place.public_id, currency="EUR")

    assert money_of(worker) == {"earned": 0, "withdrawing": EURO + make.PRICE}
    assert broken() == []


def test_the_first_payout_to_a_place_is_looked_at_and_later_ones_are_not(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock)
    boss = staff_caller()
    first = people.ask(worker, place)
    tasks.approve_unreviewed()
    assert (state_of(first), Payout.objects.get(pk=first.pk).needs_review) == ("requested", True)
    boss.post(f"payouts/{first.public_id}/refuse", {"reason": "who are you?"}).expect(200)
    proven(clock, worker, place, boss)

    second = people.ask(worker, place)
    tasks.approve_unreviewed()
    assert state_of(second) == "approved"
    # Another destination starts anew.
    new = people.add(worker)
    clock(people.HOLD)
    third = people.ask(worker, new)
    tasks.approve_unreviewed()
    assert state_of(third) == "requested"


def test_a_large_payout_is_looked_at(committed: str, clock: Clock, settings: Any) -> None:
    settings.PAYOUT_REVIEW_MICROS = 10 * EURO
    worker, place = people.ready(clock)
    proven(clock, worker, place, staff_caller())

    small, large = people.ask(worker, place, 10 * EURO - 10_000), people.ask(worker, place, 10 * EURO)
    tasks.approve_unreviewed()

    assert (state_of(small), state_of(large)) == ("approved", "requested")


def test_a_refusal_says_why_and_gives_the_money_back_at_once(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock)
    staff = people.make_staff()
    boss, me = caller_for(staff, "staff"), caller_for(worker.user, "worker")
    payout = people.ask(worker, place)
    assert boss.post(f"payouts/{payout.public_id}/refuse", {"reason": " "}).status == 422

    refused = boss.post(f"payouts/{payout.public_id}/refuse", {"reason": "two accounts"}).expect(200)

    assert (refused["state"], refused["decided_by"]) == ("refused", staff.email)
    shown = me.get(f"worker/payouts/{payout.public_id}").expect(200)
    assert (shown["state"], shown["reason"]) == ("refused", "two accounts")
    assert staff.email.encode() not in me.said[-1].body
    assert money_of(worker) == {"earned": 100 * EURO, "withdrawing": 0}
    assert boss.post(f"payouts/{payout.public_id}/approve").code == "wrong-payout-state"
    assert me.post(f"worker/payouts/{payout.public_id}/cancel").code == "wrong-payout-state"
    assert broken() == []


def test_nobody_decides_on_his_own_payout(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock)
    with one_transaction(principal="test"):
        give_role(user_id=worker.user_id, role="superuser")
    worker.user.refresh_from_db()
    payout = people.ask(worker, place)
    boss = caller_for(worker.user, "staff")

    assert boss.post(f"payouts/{payout.public_id}/approve").code == "own-payout"
    assert boss.post(f"payouts/{payout.public_id}/refuse", {"reason": "x"}).code == "own-payout"
    assert state_of(payout) == "requested"


def test_a_payout_that_was_sent_cannot_be_called_off(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock)
    boss, me = staff_caller(), caller_for(worker.user, "worker")
    payout = people.ask(worker, place)
    boss.post(f"payouts/{payout.public_id}/approve").expect(200)
    boss.post("payout-runs", {"provider": "manual", "currency": "EUR"}).expect(201)

    assert me.post(f"worker/payouts/{payout.public_id}/cancel").code == "wrong-payout-state"
    assert boss.post(f"payouts/{payout.public_id}/refuse", {"reason": "late"}).code == "wrong-payout-state"
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": EURO}


def test_cancel_approve_and_refuse_at_once_have_one_outcome(
    committed: str, clock: Clock, together: Callable[..., list[Any]]
) -> None:
    worker, place = people.ready(clock)
    staff = people.make_staff()
    payout = people.ask(worker, place)

    def in_one(command: Callable[..., Any], **terms: Any) -> Callable[[], Any]:
        def go() -> Any:
            with one_transaction(principal="test"):
                return command(public_id=payout.public_id, **terms).state

        return go

    cancel = in_one(cancel_payout, user_id=worker.user_id)
    refuse = in_one(refuse_payout, by=staff.pk, reason="r")
    results = together([cancel, refuse] * 6 + [in_one(approve_payout, by=staff.pk)] * 4)

    ends = [result for result in results if result in ("cancelled", "refused")]
    assert ends == [state_of(payout)]
    assert money_of(worker) == {"earned": 100 * EURO, "withdrawing": 0}
    assert value("SELECT count(*) FROM ledger_transfer WHERE key LIKE 'payout:%%:end'") == 1
    assert broken() == []


def test_a_run_is_one_file_that_is_the_same_each_time(committed: str, clock: Clock) -> None:
    evil = "=HYPERLINK(0)"
    first, second = people.make_payee(9 * EURO), people.make_payee(9 * EURO)
    places = [people.add(first, evil), people.add(second)]
    clock(people.HOLD)
    staff = people.make_staff()
    boss = caller_for(staff, "staff")
    payouts = [people.approved(first, places[0], staff, 1_230_000), people.approved(second, places[1], staff, 2 * EURO)]

    made = boss.post("payout-runs", {"provider": "manual", "currency": "EUR"}).expect(201)

    assert (made["payouts"], made["total_micros"], made["open"]) == (2, 3_230_000, 2)
    # Whoever made it gives it to nobody; a second person looks first.
    assert boss.get(f"payout-runs/{made['id']}/file").code == "run-not-released"
    assert boss.post(f"payout-runs/{made['id']}/release").code == "own-run"
    released = staff_caller().post(f"payout-runs/{made['id']}/release").expect(200)
    assert (released["made_by"], released["released_by"] is not None) == (staff.email, True)
    files = [boss.get(f"payout-runs/{made['id']}/file") for _ in range(2)]
    assert files[0].body == files[1].body
    assert files[0].headers["Content-Disposition"] == f'attachment; filename="payouts-{made["id"]}.csv"'
    lines = list(csv.DictReader(io.StringIO(files[0].body.decode())))
    assert [(line["key"], line["amount"], line["currency"]) for line in lines] == [
        (f"ts-{payouts[0].public_id.hex}", "1.23", "EUR"),
        (f"ts-{payouts[1].public_id.hex}", "2.00", "EUR"),
    ]
    assert lines[0]["account"] == "'" + evil
    # They are in this run and in no other.
    assert boss.post("payout-runs", {"provider": "manual", "currency": "EUR"}).code == "nothing-to-run"
    boss.post(f"payout-runs/{made['id']}/outcomes", {"outcome": "settled"}).expect(200)
    assert boss.get(f"payout-runs/{made['id']}/file").body == files[0].body


def test_staff_say_what_came_of_each_payment(committed: str, clock: Clock) -> None:
    staff = people.make_staff()
    boss = caller_for(staff, "staff")
    workers = [people.make_payee(9 * EURO) for _ in range(4)]
    places = [people.add(worker) for worker in workers]
    clock(people.HOLD)
    payouts = [people.approved(worker, place, staff) for worker, place in zip(workers, places, strict=True)]
    ids = [str(payout.public_id) for payout in payouts]
    made = boss.post("payout-runs", {"provider": "manual", "currency": "EUR", "payouts": ids[:3]}).expect(201)
    staff_caller().post(f"payout-runs/{made['id']}/release").expect(200)
    path = f"payout-runs/{made['id']}/outcomes"

    assert boss.post(path, {"outcome": "failed", "payouts": ids[:1]}).status == 422
    failed = {"outcome": "failed", "payouts": ids[:1], "reason": "account closed"}
    assert boss.post(path, failed).expect(200) == {"changed": 1}
    assert boss.post(path, failed).expect(200) == {"changed": 0}
    assert boss.post(path, {"outcome": "settled", "payouts": ids[:1]}).code == "wrong-payout-state"
    assert boss.post(path, {"outcome": "settled", "payouts": ids[3:]}).code == "wrong-payout-state"
    assert boss.post(path, {"outcome": "settled"}).expect(200) == {"changed": 2}
    assert boss.post(path, {"outcome": "failed", "payouts": ids[1:2], "reason": "r"}).code == "wrong-payout-state"
    back = {"outcome": "returned", "payouts": ids[2:3], "reason": "sent back"}
    assert boss.post(path, back).expect(200) == {"changed": 1}

    assert [state_of(payout) for payout in payouts] == ["returned", "settled", "returned", "approved"]
    assert [money_of(worker)["earned"] for worker in workers] == [9 * EURO, 8 * EURO, 9 * EURO, 8 * EURO]
    assert balance("outside:manual", "EUR") == EURO
    assert boss.get("payout-runs").json["results"][0]["open"] == 0
    assert broken() == []


def test_in_flight_says_how_much_where_and_for_how_long(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock)
    boss = staff_caller()
    people.ask(worker, place, 2 * EURO)
    clock(timedelta(hours=1))
    people.ask(worker, place, EURO)

    (row,) = boss.get("payouts/in-flight").expect(200)["results"]

    assert (row["provider"], row["currency"], row["state"]) == ("manual", "EUR", "requested")
    assert (row["count"], row["amount_micros"]) == (2, 3 * EURO)
    assert 3_600 <= row["oldest_s"] < 3_700
    assert len(boss.all("payouts?state=requested", limit=1)) == 2
    assert boss.all("payouts?state=sent") == []
    assert boss.get("payouts?state=odd").status == 422


def test_whoever_earns_enough_is_paid_by_himself(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock, 4 * EURO)
    me = caller_for(worker.user, "worker")
    wish = {"destination": str(place.public_id), "above_micros": 5 * EURO, "password": people.PASSWORD}

    def set_to(above: int | None) -> Any:
        people.forget_codes()
        return me.post("worker/payout-thresholds", {**wish, "above_micros": above, "code": people.code_of(worker.user)})

    assert set_to(5 * EURO + 1).code == "threshold-invalid"
    assert set_to(10_000).code == "threshold-invalid"
    assert me.post("worker/payout-thresholds", {**wish, "password": "wrong", "code": "1"}).code == "password-wrong"
    set_to(5 * EURO).expect(200)

    withdraw_above_thresholds()
    assert Payout.objects.count() == 0
    people.earn(worker, EURO + 5)
    withdraw_above_thresholds()
    withdraw_above_thresholds()

    (payout,) = Payout.objects.all()
    assert (payout.amount_micros, payout.state, payout.needs_review) == (5 * EURO, "requested", True)
    assert me.get("worker/payout-thresholds").json["results"] == [
        {"currency": "EUR", "above_micros": 5 * EURO, "destination": str(place.public_id)}
    ]
    set_to(None).expect(200)
    assert me.get("worker/payout-thresholds").json["results"] == []


HEADER = "key,reference,amount,currency,state\n"


def report(boss: Caller, text: str) -> Any:
    now = value("SELECT market_now()")
    return boss.post(
        "payout-reports",
        {
            "provider": "manual",
            "since": (now - timedelta(days=1)).isoformat(),
            "until": (now + timedelta(days=1)).isoformat(),
            "csv": text,
        },
    )


def test_a_report_of_a_provider_is_compared_payment_by_payment(committed: str, clock: Clock) -> None:
    staff = people.make_staff()
    boss = caller_for(staff, "staff")
    workers = [people.make_payee(9 * EURO) for _ in range(4)]
    places = [people.add(worker) for worker in workers]
    clock(people.HOLD)
    keys = [people.approved(worker, place, staff).provider_key for worker, place in zip(workers, places, strict=True)]
    made = boss.post("payout-runs", {"provider": "manual", "currency": "EUR"}).expect(201)
    staff_caller().post(f"payout-runs/{made['id']}/release").expect(200)
    settled = [str(Payout.objects.get(provider_key=key).public_id) for key in keys[:3]]
    boss.post(f"payout-runs/{made['id']}/outcomes", {"outcome": "settled", "payouts": settled}).expect(200)
    right = HEADER + "".join(f"{key},r,1.00,EUR,settled\n" for key in keys[:3])
    assert report(boss, right).expect(201)["findings"] == []

    wrong = HEADER + (
        f"{keys[0]},r,1.01,EUR,settled\n{keys[1]},r,1.00,EUR,settled\n{keys[1]},r,1.00,EUR,settled\n"
        f"{keys[3]},r,1.00,EUR,settled\nts-strange,r,5.00,EUR,settled\n"
    )
    found = report(boss, wrong).expect(201)["findings"]

    assert {(finding["kind"], finding["key"]) for finding in found} == {
        ("amount-differs", keys[0]),
        ("doubled", keys[1]),
        ("settled-missing", keys[2]),
        ("paid-not-settled", keys[3]),
        ("paid-unknown", "ts-strange"),
    }
    assert len(boss.all("payout-reports")) == 2


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("", 0),
        ("a,b\n", 0),
        (HEADER + "k,r,1.00,EUR,settled\nk,r,1.0,EUR,settled\n", 2),
        (HEADER + "k,r,1,00,EUR,settled\n", 1),
        (HEADER + "k,r,-1.00,EUR,settled\n", 1),
        (HEADER + "k,r,NaN,EUR,settled\n", 1),
        (HEADER + "k,r,999999999999.00,EUR,settled\n", 1),
        (HEADER + "k,r,1.00,euro,settled\n", 1),
        (HEADER + "k,r,1.00,EUR,paid\n", 1),
        (HEADER + ",r,1.00,EUR,settled\n", 1),
    ],
)
def test_a_report_that_cannot_be_read_says_where(committed: str, text: str, row: int) -> None:
    refused = report(staff_caller(), text)

    assert refused.status == 422
    if text:
        assert [error["row"] for error in refused.json["errors"]] == [row]
    assert value("SELECT count(*) FROM payouts_report") == 0


def test_a_provider_that_is_not_configured_is_not_offered(
    committed: str, provider_server: Callable[..., Any], settings: Any
) -> None:
    me = caller_for(people.make_payee().user, "worker")
    assert [one["name"] for one in me.get("worker/payout-providers").json["results"]] == ["manual"]
    provider_server()
    assert [one["name"] for one in me.get("worker/payout-providers").json["results"]] == ["manual", "test"]
    settings.PAYOUT_TEST_SECRET = ""
    assert [one["name"] for one in me.get("worker/payout-providers").json["results"]] == ["manual"]
