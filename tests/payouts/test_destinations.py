"""Where money may go (R41): proven twice, told to the owner, three days late, and one person's only."""

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.db import DatabaseError, IntegrityError, ProgrammingError

from marketplace.accounts.commands import notify
from marketplace.accounts.models import Notice, User
from marketplace.accounts.second_factor import begin_enrolment, require_password
from marketplace.accounts.tasks import send_notices
from marketplace.common.commands import forget_old
from marketplace.common.database import rows, run, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.commands import move
from marketplace.payouts import tasks
from marketplace.payouts.commands.destinations import add_destination, remove_destination
from marketplace.payouts.commands.payouts import approve_payout
from marketplace.payouts.commands.steps import money_back
from marketplace.payouts.errors import DestinationNotUsable, DestinationTaken
from marketplace.payouts.models import Attempt, Destination, Payout
from tests import factories as make
from tests.api.callers import Caller, caller_for
from tests.payouts import people
from tests.payouts.people import EURO, HOLD, PASSWORD, code_of, insert_payout, money_of, state_of
from tests.payouts.provider_server import ProviderServer
from workers.earnings.tasks import withdraw_above_thresholds
from workers.profiles.models import Worker

Clock = Callable[[timedelta], None]
PLACE = {"provider": "manual", "currency": "EUR", "details": {"name": "Ada", "account": "DE89 3704 0044 0532 0130 00"}}


def proof(user: User) -> dict[str, str]:
    people.forget_codes()
    return {"password": PASSWORD, "code": code_of(user)}


def test_a_destination_is_shown_masked_and_stored_sealed(committed: str) -> None:
    worker = people.make_payee()
    me = caller_for(worker.user, "worker")

    added = me.post("worker/destinations", {**PLACE, **proof(worker.user)}).expect(201)

    assert added["shown"] == "Ada, …3000"
    assert me.get("worker/destinations").expect(200)["results"] == [added]
    stored = json.dumps(rows("SELECT to_jsonb(d)::text FROM payouts_destination d"))
    stored += json.dumps(rows("SELECT subject, text FROM accounts_notice"))
    # Some digits of it may well occur in what is sealed; the number does not.
    assert not [digits for digits in ("370400440532", "3704 0044 0532") if digits in stored]
    assert "0532" not in "".join(str(reply.body) for reply in me.said)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"password": "wrong"}, 403, "password-wrong"),
        ({"code": "000000"}, 403, "code-wrong"),
        ({"code": "٣٣٣٣٣٣"}, 403, "code-wrong"),
        ({"provider": "none"}, 404, "no-such-provider"),
        ({"provider": "test"}, 404, "no-such-provider"),
        ({"currency": "eur"}, 422, "destination-invalid"),
        ({"currency": "€€€"}, 422, "destination-invalid"),
        ({"details": {}}, 422, "destination-invalid"),
        ({"details": {"name": "Ada", "account": " "}}, 422, "destination-invalid"),
        ({"details": {"name": "Ada", "account": "--"}}, 422, "destination-invalid"),
        ({"details": {"name": "A\u0007da", "account": "1"}}, 422, "destination-invalid"),
        ({"details": {"name": "Ada", "account": "1", "iban": "2"}}, 422, "destination-invalid"),
        ({"details": {"name": "Ada", "account": 5}}, 422, "invalid"),
        ({"details": {"name": "Ada", "account": {"a": 1}}}, 422, "invalid"),
        ({"usable_from": "2020-01-01T00:00:00Z"}, 400, "unknown-field"),
    ],
)
def test_a_wrong_wish_adds_nothing_and_tells_nobody(
    committed: str, change: dict[str, Any], status: int, code: str
) -> None:
    worker = people.make_payee()
    me = caller_for(worker.user, "worker")
    right = {**PLACE, **proof(worker.user)}

    refused = me.post("worker/destinations", {**right, **change})

    assert (refused.status, refused.code) == (status, code)
    assert (Destination.objects.count(), Notice.objects.count()) == (0, 0)
    # A refusal uses no code up, and it was this alone that was wrong.
    me.post("worker/destinations", right).expect(201)


def test_who_has_no_second_factor_sets_one_up_first(committed: str) -> None:
    worker = people.make_payee()
    people.forget_factor(worker.user)
    me = caller_for(worker.user, "worker")
    assert me.post("worker/destinations", {**PLACE, "password": PASSWORD, "code": "1"}).code == "second-factor-missing"
    assert me.post("worker/totp", {"password": "wrong"}).code == "password-wrong"

    begun = me.post("worker/totp", {"password": PASSWORD}).expect(201)
    assert begun["uri"].startswith("otpauth://totp/")
    assert f"secret={begun['secret']}" in begun["uri"]
    assert not Authenticator.objects.filter(user=worker.user).exists()
    token = begun["token"]
    assert me.post("worker/totp/confirm", {"token": token, "code": "000000"}).code == "code-wrong"
    assert me.post("worker/totp/confirm", {"token": "x" + token, "code": "000000"}).code == "enrolment-invalid"
    code = code_of(worker.user, begun["secret"])
    me.post("worker/totp/confirm", {"token": token, "code": code}).expect(201)

    factor = Authenticator.objects.get(user=worker.user)
    assert begun["secret"] not in json.dumps(factor.data)
    # The library's own way finds the same authenticator.
    assert factor.wrap().validate_code(code_of(worker.user, begun["secret"]))
    # What confirmed it is used up.
    used = me.post("worker/destinations", {**PLACE, "password": PASSWORD, "code": code})
    assert (used.status, used.code) == (403, "code-used")
    assert me.post("worker/totp", {"password": PASSWORD}).code == "second-factor-there"
    assert [notice.subject for notice in Notice.objects.all()] == ["A second factor was set up for your account"]


def test_an_enrolment_is_its_own_beginners_and_ends(committed: str, clock: Clock) -> None:
    worker, other = people.make_payee(), people.make_payee()
    for one in (worker, other):
        people.forget_factor(one.user)
    with one_transaction(principal="test"):
        shown = require_password(user_id=worker.user_id, password=PASSWORD)
        begun = begin_enrolment(shown, user=worker.user)
    confirm = {"token": begun.token, "code": code_of(worker.user, begun.secret)}

    assert caller_for(other.user, "worker").post("worker/totp/confirm", confirm).code == "enrolment-invalid"
    clock(timedelta(minutes=16))
    confirm["code"] = code_of(worker.user, begun.secret)
    assert caller_for(worker.user, "worker").post("worker/totp/confirm", confirm).code == "enrolment-invalid"
    assert not Authenticator.objects.exists()


def test_a_code_counts_once_and_a_repeat_of_the_request_gets_its_first_answer(committed: str, clock: Clock) -> None:
    worker = people.make_payee()
    me = caller_for(worker.user, "worker")
    body = {**PLACE, **proof(worker.user)}
    first = me.post("worker/destinations", body, key="k")
    other = {**body, "details": {"name": "Ada", "account": "another"}}

    assert me.post("worker/destinations", other).code == "code-used"
    assert me.post("worker/destinations", body, key="k").body == first.body
    assert me.post("worker/destinations", other, key="k").code == "idempotency-key-reused"
    assert Destination.objects.count() == 1
    clock(timedelta(seconds=30))
    me.post("worker/destinations", {**other, "code": code_of(worker.user)}).expect(201)
    clock(timedelta(seconds=90))
    assert me.post("worker/destinations", {**other, "code": other["code"]}).code == "code-wrong"


def test_a_code_that_opened_a_key_adds_no_destination(committed: str) -> None:
    worker = people.make_payee()
    code = code_of(worker.user)
    basic = b64encode(f"{worker.user.email}:{PASSWORD}".encode()).decode()
    stranger = Caller("stranger", Authorization=f"Basic {basic}")
    stranger.call("POST", "keys", {"name": "k", "scopes": ["worker"]}, headers={"Touchstone-OTP": code}).expect(201)

    used = caller_for(worker.user, "worker").post("worker/destinations", {**PLACE, "password": PASSWORD, "code": code})

    assert used.code == "code-used"


def test_guesses_of_password_and_code_run_out(committed: str) -> None:
    worker = people.make_payee()
    me = caller_for(worker.user, "worker")

    replies = [me.post("worker/destinations", {**PLACE, "password": PASSWORD, "code": "000000"}) for _ in range(12)]

    assert {reply.status for reply in replies[:10]} == {403}
    assert [reply.status for reply in replies[10:]] == [429, 429]
    # Not even the right one counts now.
    assert me.post("worker/destinations", {**PLACE, **proof(worker.user)}).status == 429
    assert Destination.objects.count() == 0


def test_the_owner_is_told_at_every_address_that_was_lately_his(committed: str, clock: Clock) -> None:
    worker = people.make_payee()
    old = worker.user.email
    # A thief changes the address first.
    User.objects.filter(pk=worker.user_id).update(email="thief@example.org")
    people.add(worker)
    assert mail.outbox == []

    send_notices()
    send_notices()

    assert sorted(to for sent in mail.outbox for to in sent.to) == sorted([old, "thief@example.org"])
    assert {sent.subject for sent in mail.outbox} == {"A new destination for your payouts was added"}
    assert "Nothing is paid there before" in mail.outbox[0].body
    clock(timedelta(days=31))
    with one_transaction(principal="test"):
        notify(user_id=worker.user_id, subject="later", text="")
    assert [notice.email for notice in Notice.objects.filter(subject="later")] == ["thief@example.org"]


def test_a_mail_that_could_not_be_sent_is_sent_later(
    committed: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = people.make_payee()
    people.add(worker)
    with monkeypatch.context() as patch:

        def refuse(**_: Any) -> None:
            raise OSError("no mail server")

        patch.setattr("marketplace.accounts.tasks.send_mail", refuse)
        send_notices()
    send_notices()
    assert mail.outbox == []
    clock(timedelta(minutes=3))
    send_notices()
    assert [sent.to for sent in mail.outbox] == [[worker.user.email]]
    # It is kept for a while, and then it is gone with the codes that were used.
    clock(timedelta(days=29))
    with one_transaction(principal="test"):
        forget_old()
    assert Notice.objects.count() == 1
    clock(timedelta(days=2))
    with one_transaction(principal="test"):
        forget_old()
    assert Notice.objects.count() == 0
    assert value("SELECT count(*) FROM accounts_usedcode") == 0


def test_fifty_accounts_with_one_destination_are_one_person_who_is_paid(committed: str, together: Any) -> None:
    workers = [people.make_payee() for _ in range(50)]
    spellings = ["DE89 3704 0044 0532 0130 00", "de89370400440532013000", "DE89-3704-0044-0532-0130-00"]
    proofs = [people.proof_of(worker.user) for worker in workers]
    people.forget_codes()

    def wish(n: int) -> Any:
        with one_transaction(principal="test"):
            return add_destination(
                user_id=workers[n].user_id,
                provider="manual",
                currency="EUR",
                details={"name": f"Person {n}", "account": spellings[n % 3]},
                proof=proofs[n],
            )

    results = together([lambda n=n: wish(n) for n in range(50)])

    refused = [result for result in results if isinstance(result, DestinationTaken)]
    (owner,) = [result for result in results if isinstance(result, Destination)]
    assert len(refused) == 49
    assert Destination.objects.count() == 1
    # The refusal names nobody; the evidence names both.
    emails = [worker.user.email for worker in workers]
    for refusal in refused:
        said = str((refusal.detail, refusal.facts))
        assert refusal.detail == "Another destination is needed: this one cannot be used with your account."
        assert not any(email in said for email in emails)
    assert Attempt.objects.filter(kind="taken", destination=owner).count() == 49
    staff = people.make_staff()
    listed = caller_for(staff, "staff").all("destination-attempts")
    assert {row["owner"] for row in listed} == {User.objects.get(pk=owner.user_id).email}
    assert len({row["user"] for row in listed}) == 49
    assert [finding.name for finding in check_promises() if finding.violations] == []


def test_a_taken_destination_is_refused_over_the_api_and_kept_as_evidence(committed: str) -> None:
    first, second = people.make_payee(), people.make_payee()
    caller_for(first.user, "worker").post("worker/destinations", {**PLACE, **proof(first.user)}).expect(201)
    me = caller_for(second.user, "worker")
    body = {**PLACE, **proof(second.user)}

    refused = me.post("worker/destinations", body, key="k")

    assert (refused.status, refused.code) == (409, "destination-taken")
    assert me.post("worker/destinations", body, key="k").body == refused.body
    assert Attempt.objects.count() == 1
    assert first.user.email.encode() not in refused.body
    own = caller_for(first.user, "worker").post("worker/destinations", {**PLACE, **proof(first.user)})
    assert own.code == "destination-there"


def test_what_one_has_removed_another_may_add_and_staff_can_see_it(committed: str, clock: Clock) -> None:
    first, second = people.make_payee(), people.make_payee()
    place = people.add(first, "one place")
    with one_transaction(principal="test"):
        remove_destination(user_id=first.user_id, public_id=place.public_id, proof=people.proof_of(first.user))

    later = people.add(second, "one place")

    assert [(a.kind, a.user_id, a.destination_id) for a in Attempt.objects.all()] == [
        ("former", second.user_id, place.pk)
    ]
    assert later.usable_from - later.added_at == HOLD


def test_a_removed_destination_gives_back_what_was_on_its_way_and_ends_what_was_wished(
    committed: str, clock: Clock
) -> None:
    worker, place = people.ready(clock)
    staff = people.make_staff()
    waiting, decided = people.ask(worker, place), people.approved(worker, place, staff)
    me = caller_for(worker.user, "worker")
    me.post(
        "worker/payout-thresholds",
        {"destination": str(place.public_id), "above_micros": 5 * EURO, **proof(worker.user)},
    ).expect(200)

    path = f"worker/destinations/{place.public_id}/remove"
    assert me.post(path, {"password": "wrong", "code": "1"}).code == "password-wrong"
    me.post(path, proof(worker.user)).expect(200)

    assert (state_of(waiting), state_of(decided)) == ("cancelled", "cancelled")
    assert money_of(worker) == {"earned": 100 * EURO, "withdrawing": 0}
    assert me.get("worker/payout-thresholds").json["results"] == []
    assert me.get("worker/destinations").json["results"] == []
    body = {"destination": str(place.public_id), "currency": "EUR"}
    assert me.post("worker/payouts", body).code == "no-such-destination"
    assert [finding.name for finding in check_promises() if finding.violations] == []


def test_a_thief_with_password_and_second_factor_gets_nothing_out_within_three_days(
    committed: str, clock: Clock, provider_server: Callable[..., ProviderServer], as_owner: psycopg.Connection[Any]
) -> None:
    server = provider_server()
    # The victim has been paid to a place of her own before.
    worker, own = people.ready(clock, provider="test")
    staff = people.make_staff()
    people.approved(worker, own, staff)
    tasks.send_approved()
    assert len(server.paid()) == 1
    thief, boss = caller_for(worker.user, "worker"), caller_for(staff, "staff")
    added = thief.post(
        "worker/destinations",
        {"provider": "test", "currency": "EUR", "details": {"receiver": "thief"}, **proof(worker.user)},
    ).expect(201)
    ask = {"destination": added["id"], "currency": "EUR", "amount_micros": 5 * EURO}
    place = Destination.objects.get(public_id=added["id"])

    def attack() -> None:
        """All that a thief can do by the API, and all that one can do who speaks SQL as the site itself."""
        early = thief.post("worker/payouts", ask)
        assert (early.status, early.code) == (409, "destination-not-usable")
        thief.post(
            "worker/payout-thresholds",
            {"destination": added["id"], "above_micros": EURO, **proof(worker.user)},
        ).expect(200)
        withdraw_above_thresholds()
        tasks.approve_unreviewed()
        tasks.send_approved()
        payout = raw_request(worker, place, 5 * EURO)
        assert boss.post(f"payouts/{payout}/approve").code == "destination-not-usable"
        for sql, params in (
            ("UPDATE payouts_payout SET state = 'approved', decided_by_id = %s WHERE public_id = %s",
             [staff.pk, payout]),
            ("UPDATE payouts_payout SET state = 'sent', lease = gen_random_uuid(), lease_until = now()"
             " WHERE public_id = %s", [payout]),
            ("UPDATE payouts_destination SET usable_from = now() WHERE id = %s", [place.pk]),
            ("UPDATE payouts_destination SET added_at = now() - interval '4 days' WHERE id = %s", [place.pk]),
            ("UPDATE payouts_destination SET details = %s WHERE id = %s", [bytes(place.details), own.pk]),
            ("UPDATE payouts_payout SET destination_id = %s WHERE state = 'settled'", [place.pk]),
            ("ALTER TABLE payouts_destination DISABLE TRIGGER destination_kept", None),
            ("SET session_replication_role = 'replica'", None),
            ("CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now() + ''4 days'''",
             None),
        ):  # fmt: skip
            with pytest.raises(DatabaseError), one_transaction(principal="thief"):
                run(sql, params or ())
        tasks.approve_unreviewed()
        tasks.send_approved()
        tasks.look_up_sent()
        with one_transaction(principal="test"):
            run("UPDATE payouts_payout SET state = 'cancelled' WHERE public_id = %s", [payout])
            back(worker, payout)

    # To the end of the third day.
    for _ in range(4):
        attack()
        clock(timedelta(hours=17, minutes=59))
    attack()
    assert {order["receiver"] for order in server.orders.values()} != {"thief"}
    assert len(server.paid()) == 1
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": 0}
    with pytest.raises(psycopg.errors.CheckViolation, match="a destination stays"):
        as_owner.execute("UPDATE payouts_destination SET usable_from = now() WHERE id = %s", [place.pk])
    # The same wish passes once the time is over: it was the hold that stopped it. And somebody looks at it first.
    clock(timedelta(minutes=30))
    assert thief.post("worker/payouts", ask).expect(201)["needs_review"] is True
    tasks.approve_unreviewed()
    tasks.send_approved()
    assert len(server.paid()) == 1


def raw_request(worker: Worker, place: Destination, amount: int) -> str:
    """A request by SQL as the runtime role, with its transfer, past all that commands look at."""
    with one_transaction(principal="thief"):
        return str(insert_payout(worker, place, amount))


def back(worker: Worker, payout: str) -> None:
    move([money_back(Payout.objects.get(public_id=payout))])


def test_an_insert_cannot_choose_when_a_destination_may_be_used(committed: str) -> None:
    worker = make.make_worker()
    columns = "public_id, user_id, provider, currency, details, shown, fingerprint"
    values = [worker.user_id, b"x", b"y" * 32]
    with pytest.raises(ProgrammingError), one_transaction(principal="test"):
        run(
            f"INSERT INTO payouts_destination ({columns}, usable_from) VALUES"
            " (gen_random_uuid(), %s, 'manual', 'EUR', %s, '', %s, now())",
            values,
        )
    with one_transaction(principal="test"):
        run(
            f"INSERT INTO payouts_destination ({columns}) VALUES (gen_random_uuid(), %s, 'manual', 'EUR', %s, '', %s)",
            values,
        )
    assert value("SELECT usable_from - added_at FROM payouts_destination") == HOLD
    with pytest.raises(IntegrityError), one_transaction(principal="test"):
        run(
            f"INSERT INTO payouts_destination ({columns}) VALUES (gen_random_uuid(), %s, 'manual', 'EUR', %s, '', %s)",
            [make.make_worker().user_id, b"x", b"y" * 32],
        )


def test_a_payout_cannot_be_approved_a_second_before_its_time(committed: str, clock: Clock) -> None:
    worker, staff = people.make_payee(10 * EURO), people.make_staff()
    place = people.add(worker)
    with one_transaction(principal="test"):
        payout = insert_payout(worker, place, EURO)
    clock(HOLD - timedelta(seconds=20))
    with pytest.raises(DestinationNotUsable), one_transaction(principal="test"):
        approve_payout(public_id=payout, by=staff.pk)
    clock(timedelta(seconds=20))
    with one_transaction(principal="test"):
        approve_payout(public_id=payout, by=staff.pk)


def test_a_new_secret_key_forgets_no_destination(committed: str, settings: Any) -> None:
    worker = people.make_payee()
    people.add(worker, "one place")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key"
    # The codes of those who enrolled before count on, too.
    other = people.make_payee()

    with one_transaction(principal="test"):
        refused = add_destination(
            user_id=other.user_id,
            provider="manual",
            currency="EUR",
            details={"name": "B", "account": "ONE-place"},
            proof=people.proof_of(other.user),
        )

    assert isinstance(refused, DestinationTaken)
    assert people.proof_of(worker.user).user_id == worker.user_id
