"""Every act that the audit log lists (R36), done once by its own way in, leaves exactly one row of its name; and
nothing of a person stands in any of them."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from marketplace.accounts.acts import ACTS
from marketplace.accounts.commands import (
    change_role,
    ensure_staff,
    invite_member,
    join,
    new_password,
    remove_member,
)
from marketplace.accounts.commands.configuration import keep_configuration
from marketplace.accounts.models import Act, User
from marketplace.api.configuration import settings_now
from marketplace.billing.commands.invoices import issue_invoice
from marketplace.common.database import MarketNow, run, value
from marketplace.common.models import DeadLetter
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.payouts import approve_payout, request_payout
from marketplace.results.tasks import build_datasets
from tests import factories as make
from tests.api.callers import Caller, caller_for
from tests.api.market import Market, make_appeal, make_member_invitation, make_review, make_webhook, two_ids
from tests.payouts import people
from tests.staff.desk import make_staff
from tests.web.visitors import client_of
from workers.assignments.commands.holds import hold_answers
from workers.assignments.commands.pay import settle_due
from workers.assignments.origin import Origin

BANK = b"reference,amount,currency,date\nR1,12.50,EUR,2026-10-01\n"
WHY = {"reason": "wrong", "comment": "No animals."}
SELLER = {"name": "Touchstone", "address": "", "tax_id": "", "note": ""}


def _proof(market: Market) -> dict[str, str]:
    people.forget_codes()
    return {"password": people.PASSWORD, "code": people.code_of(market.worker.user)}


def _in_one(by: User, command: Callable[..., Any], /, **arguments: Any) -> Any:
    with one_transaction(principal=f"key-user:{by.pk}"):
        return command(**arguments)


def _at(market: Market) -> str:
    return f"batches/{market.batch.public_id}"


def _answered(market: Market) -> tuple[str, list[str]]:
    """An answer of somebody new in a batch beside the others: its address, and the answer's id."""
    batch = make.make_batch(1, project=market.project, name="Answered", overlap=1)
    worker = make.make_worker()
    leases = make.take(worker, batch, 1)
    make.answer(worker, leases)
    return f"batches/{batch.public_id}", [str(lease.id) for lease in leases]


def _accepted(market: Market) -> str:
    at, answers = _answered(market)
    market["owner"].post(f"{at}/answers/accept", {"answers": answers}).expect(200)
    return at


def _deployed(market: Market) -> None:
    for _ in range(2):
        with one_transaction(principal="deployment"):
            keep_configuration(settings_now())


def _release_answers(market: Market) -> None:
    with one_transaction(principal="test"):
        hold_answers(
            batch_id=market.batch.pk, worker_id=market.worker.pk, life=timedelta(days=1), reason="In doubt.",
            origin=Origin(1),
        )  # fmt: skip
    body = {"worker": market.known, "reason": "They are right."}
    market["reviewer"].post(f"{_at(market)}/holds/release", body).expect(200)


def _deposit(market: Market) -> str:
    body = {"requester": str(market.requester.public_id), "amount_micros": 1, "currency": "EUR", "reference": "R9"}
    first, repeated = (market["staff"].post("deposits", body).expect(201)["id"] for _ in range(2))
    assert first == repeated
    return str(first)


def _uphold(market: Market) -> None:
    at, answers = _answered(market)
    market["owner"].post(f"{at}/answers/reject", {"answers": answers, **WHY}).expect(200)
    market["staff"].post(f"{at}/answers/uphold", {"answers": answers, "reason": "It is a cat."}).expect(200)


def _bonus(market: Market) -> None:
    at = _at(market)
    lease = market["worker"].post(f"worker/{at}/claim").expect(201)["assignments"][0]
    page = [{"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}]
    market["worker"].post("worker/submissions", {"answers": page}).expect(200)
    body = {"worker": market.known, "amount_micros": 5, "reason": "good work", "reference": "b"}
    for _ in range(2):
        market["owner"].post(f"{at}/bonuses", body).expect(201)


def _add_destination(market: Market) -> None:
    place = {"provider": "manual", "currency": "EUR", "details": {"name": "A", "account": str(uuid4())}}
    market["worker"].post("worker/destinations", {**place, **_proof(market)}).expect(201)


def _remove_destination(market: Market) -> None:
    path = f"worker/destinations/{market.destination.public_id}/remove"
    market["worker"].post(path, _proof(market)).expect(200)


def _threshold(market: Market) -> None:
    body = {"destination": str(market.destination.public_id), "above_micros": 50_000_000, **_proof(market)}
    market["worker"].post("worker/payout-thresholds", body).expect(200)


def _request_payout(market: Market) -> None:
    people.earn(market.worker, 9 * people.EURO)
    _in_one(
        market.worker.user, request_payout, user_id=market.worker.user_id, holder=market.worker.public_id,
        destination=market.destination.public_id, amount_micros=people.EURO, currency="EUR",
    )  # fmt: skip


def _make_run(market: Market) -> None:
    by = make_staff("finance")
    _in_one(by, approve_payout, public_id=market.payout.public_id, by=by.pk)
    body = {"provider": "manual", "currency": "EUR", "payouts": [str(market.payout.public_id)]}
    market["staff"].post("payout-runs", body).expect(201)


def _release(market: Market) -> Caller:
    second = caller_for(make_staff("finance"), "staff")
    for _ in range(2):
        second.post(f"payout-runs/{market.run.public_id}/release").expect(200)
    return second


def _payout_report(market: Market) -> None:
    span = {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}
    body = {"provider": "manual", "csv": "key,reference,amount,currency,state\n", **span}
    market["staff"].post("payout-reports", body).expect(201)


def _issue(market: Market) -> None:
    month = value("SELECT date_trunc('month', market_now() AT TIME ZONE 'UTC')::date")
    _accepted(market)
    with one_transaction(principal="system"):
        settle_due()
    run("UPDATE test_clock SET shift = shift + interval '40 days'")
    by = make.owner_of(market.requester)
    _in_one(by, issue_invoice, requester_id=market.requester.pk, currency="EUR", month=month, by=by)


def _credit(market: Market) -> None:
    invoice = make.make_invoice(market.requester)
    market["staff"].post(f"invoices/{invoice.public_id}/credit-note", {"reason": "wrong name"}).expect(201)


def _give_role(market: Market) -> None:
    market["staff"].post("staff", {"email": make.make_user().email, "role": "quality"}).expect(201)


def _take_role(market: Market) -> None:
    path = f"staff/{make_staff('quality').public_id}/revoke"
    for _ in range(2):
        market["staff"].post(path, {"role": "quality"}).expect(200)


def _draw_password(market: Market) -> None:
    with one_transaction(principal="console"):
        new_password(user=ensure_staff(email=make.make_user().email))


def _revoke_key(market: Market) -> None:
    user = make.make_user()
    caller = caller_for(user, "worker")
    caller.delete(f"keys/{user.auth_token_set.get().public_id}").expect(204)  # type: ignore[attr-defined]


def _join(market: Market) -> None:
    asked = {"requester_id": market.requester.pk, "role": "viewer"}
    user, by = make.make_user(), make.owner_of(market.requester)
    with one_transaction(principal="test"):
        _, code = invite_member(email=user.email, by=by.pk, **asked)
    _in_one(user, join, user=user, code=code)


def _accept_invitation(market: Market) -> None:
    asked = {"accounts": [{"email": "comes@example.org"}]}
    [made] = market["staff"].post("invitations", asked).expect(201)["invitations"]
    Caller("stranger").post("invitations/accept", {"code": made["code"], "password": "twelve red apples"}).expect(201)


def _member(market: Market, command: Callable[..., Any], **more: Any) -> None:
    user = market.requester.members.filter(role="viewer").earliest("pk").user
    by = make.owner_of(market.requester)
    _in_one(by, command, requester_id=market.requester.pk, member=user.public_id, **more)


def _invite_member(market: Market) -> None:
    by = make.owner_of(market.requester)
    _in_one(by, invite_member, requester_id=market.requester.pk, email="new@example.org", role="viewer", by=by.pk)


def _end_invitation(market: Market) -> None:
    path = f"requesters/{market.requester.public_id}/member-invitations/{make_member_invitation(market)}"
    market["owner"].delete(path).expect(204)
    market["owner"].delete(path).expect(404)


def _keys(market: Market, *steps: str) -> None:
    at, task = f"batches/{market.draft.public_id}", market.draft.tasks.earliest("pk").external_id
    bodies = {"keys": {"keys": [{"task": task, "key": {"label": "cat"}}]}, "remove": {"tasks": [task]}}
    for step in steps:
        market["owner"].post(f"{at}/gold/{step}", bodies[step]).expect(200)


def _figures(market: Market) -> None:
    viewer = client_of(market.requester.members.filter(role="viewer").earliest("pk").user)
    reply = viewer.get(f"/console/batches/{market.batch.public_id}/figures.csv?table=money")
    assert reply.status_code == 200


def _name_adjudicator(market: Market) -> None:
    body = {"email": make.make_user().email, "reason": "knows cats"}
    market["staff"].post(f"appeals/{make_appeal(market).public_id}/adjudicator", body).expect(200)


def _link(market: Market) -> None:
    body = {"workers": [str(one) for one in two_ids()], "reason": "one phone"}
    market["staff"].post("workers/links", body).expect(201)


def _reject(market: Market) -> None:
    at, answers = _answered(market)
    market["owner"].post(f"{at}/answers/reject", {"answers": answers, **WHY}).expect(200)


def _give_back(market: Market) -> None:
    at, answers = _answered(market)
    market["owner"].post(f"{at}/answers/return", {"answers": answers, **WHY}).expect(200)


def _review(market: Market, decision: str) -> None:
    path = f"rejection-reviews/{make_review(market).public_id}/{decision}"
    for _ in range(2):
        market["staff"].post(path, {"reason": "I looked."}).expect(200)


def _decide(market: Market) -> None:
    body = {"decision": "refuse", "reason": "It is a dog."}
    market["staff"].post(f"appeals/{make_appeal(market).public_id}/decide", body).expect(200)


def _ban(market: Market) -> None:
    body = {
        "worker": str(market.other_worker.public_id), "scope": "platform", "measure": "ban", "reason": "spam",
        "words": "You sent us spam, Bob.", "evidence": "All answers are the same.", "expires_in_s": 60,
    }  # fmt: skip
    market["staff"].post("sanctions", body).expect(201)


def _lift(market: Market) -> None:
    for _ in range(2):
        market["staff"].post(f"sanctions/{market.sanction.public_id}/lift", {"reason": "mistake"}).expect(200)


def _dataset(market: Market, then: Callable[[str], object] = lambda path: None) -> None:
    at = _accepted(market)
    market["owner"].post(f"{at}/results", {"method": "majority"}).expect(201)
    made = market["owner"].post(f"{at}/datasets", {"format": "jsonl"}).expect(202)
    build_datasets()
    then(f"{at}/datasets/{made['number']}")


def _archive(market: Market) -> None:
    _dataset(market, lambda path: market["owner"].get(f"{path}/archive").expect(200))


def _dataset_link(market: Market) -> None:
    def made(path: str) -> None:
        link = market["owner"].post(f"{path}/links", {"expires_in_s": 60}).expect(201)
        for _ in range(2):
            market["owner"].post(f"{path}/links/{link['id']}/end").expect(200)

    _dataset(market, made)


def _results(market: Market) -> None:
    at = _accepted(market)
    market["owner"].post(f"{at}/results", {"method": "majority"}).expect(201)
    assert market["viewer"].get(f"{at}/exports/results.csv").status == 200


def _statement(market: Market) -> None:
    path = f"requesters/{market.requester.public_id}/statement.csv"
    assert market["viewer"].get(path).status == 200


def _letter(market: Market) -> None:
    letter = DeadLetter.objects.create(
        kind="sweep", subject="t", error="", times=3, first_at=MarketNow(), parked_at=MarketNow()
    )
    market["staff"].post(f"dead-letters/{letter.public_id}/retry").expect(200)


def _publish_version(market: Market) -> None:
    path = f"projects/{market.project.public_id}/versions"
    number = market["owner"].post(path, {"interface": make.INTERFACE}).expect(201)["number"]
    for _ in range(2):
        market["owner"].post(f"{path}/{number}/publish").expect(200)


def _webhook(market: Market, step: str) -> None:
    webhook, _ = make_webhook(market)
    at = f"webhooks/{webhook.public_id}"
    body = {"url": "https://hooks.example.org/secret-in-address", "events": ["batch.settled"]}
    if step == "change":
        market["owner"].call("PUT", at, body).expect(200)
    else:
        assert market["owner"].post(f"{at}/{step}").status in (200, 201)


def _twice(market: Market, path: str) -> None:
    for _ in range(2):
        market["owner"].post(path).expect(200)


DONE: dict[str, Callable[[Market], Any]] = {
    "money.deposit_recorded": _deposit,
    "money.deposit_reversed": lambda m: m["staff"].post(f"deposits/{_deposit(m)}/reverse", {"reason": "x"}).expect(200),
    "money.deposits_reconciled": lambda m: m["staff"].post("deposit-reports", raw=BANK, content_type="text/csv"),
    "money.batch_published": lambda m: _twice(m, f"batches/{m.draft.public_id}/publish"),
    "money.batch_closed": lambda m: _twice(m, f"{_at(m)}/close"),
    "money.batch_cancelled": lambda m: _twice(m, f"{_at(m)}/cancel"),
    "money.places_added": lambda m: m["owner"].post(f"{_at(m)}/more-places", {"tasks": ["t0"]}).expect(200),
    "money.answers_accepted": _accepted,
    "money.answers_upheld": _uphold,
    "money.answers_released": _release_answers,
    "money.bonus_paid": _bonus,
    "money.destination_added": _add_destination,
    "money.destination_removed": _remove_destination,
    "money.threshold_set": _threshold,
    "money.payout_requested": _request_payout,
    "money.payout_cancelled": lambda m: m["worker"].post(f"worker/payouts/{m.payout.public_id}/cancel").expect(200),
    "money.payout_approved": lambda m: m["staff"].post(f"payouts/{m.payout.public_id}/approve").expect(200),
    "money.payout_refused": lambda m: m["staff"].post(f"payouts/{m.payout.public_id}/refuse", {"reason": "x"}),
    "money.run_made": _make_run,
    "money.run_released": _release,
    "money.run_file_taken": lambda m: _release(m).get(f"payout-runs/{m.run.public_id}/file").expect(200),
    "money.outcome_reported": lambda m: [
        _release(m).post(f"payout-runs/{m.run.public_id}/outcomes", {"outcome": "settled"}).expect(200)
        for _ in range(2)
    ],
    "money.payouts_reconciled": _payout_report,
    "money.invoice_issued": _issue,
    "money.invoice_credited": _credit,
    "permission.requester_founded": lambda m: m["owner"].post("requesters", {"name": "Beta"}).expect(201),
    "permission.member_added": _join,
    "permission.member_invited": _invite_member,
    "permission.invitation_ended": _end_invitation,
    "permission.member_removed": lambda m: _member(m, remove_member),
    "permission.role_changed": lambda m: _member(m, change_role, role="reviewer"),
    "permission.key_made": lambda m: caller_for(make.make_user(), "worker"),
    "permission.key_revoked": _revoke_key,
    "permission.invitation_accepted": _accept_invitation,
    "permission.people_invited": lambda m: m["staff"].post(
        "invitations", {"accounts": [{"email": "invited@example.org", "name": "Ada"}]}
    ),
    "permission.staff_granted": _give_role,
    "permission.staff_revoked": _take_role,
    "permission.password_drawn": _draw_password,
    "permission.adjudicator_named": _name_adjudicator,
    "permission.accounts_linked": _link,
    "permission.link_ended": lambda m: m["staff"].post(f"workers/links/{m.link.public_id}/end", {"reason": "x"}),
    "reject.answers": _reject,
    "reject.answers_returned": _give_back,
    "reject.review_approved": lambda m: _review(m, "approve"),
    "reject.review_refused": lambda m: _review(m, "refuse"),
    "reject.appeal_decided": _decide,
    "sanction.imposed": _ban,
    "sanction.lifted": _lift,
    "gold.viewed": lambda m: m["owner"].get(f"{_at(m)}/gold").expect(200),
    "gold.key_retired": lambda m: [
        m["owner"].post(f"{_at(m)}/gold/retire", {"tasks": ["g0"]}).expect(200) for _ in range(2)
    ],
    "gold.keys_set": lambda m: _keys(m, "keys"),
    "gold.keys_taken": lambda m: _keys(m, "keys", "remove", "remove"),
    "export.figures": _figures,
    "export.results": _results,
    "export.answers": lambda m: m["viewer"].get(f"{_at(m)}/exports/answers.jsonl"),
    "export.dataset_asked": _dataset,
    "export.archive": _archive,
    "export.link_made": _dataset_link,
    "export.link_ended": _dataset_link,
    "export.statement": _statement,
    "export.spending": lambda m: m["viewer"].get(f"requesters/{m.requester.public_id}/spending.csv"),
    "export.liabilities": lambda m: m["staff"].get("liabilities.csv"),
    "configuration.platform_rules": lambda m: m["staff"].post(
        "platform-rules", {"quality": {"preset": "fast"}, "note": "From today."}
    ),
    "configuration.billing_details": lambda m: m["owner"].call(
        "PUT", f"requesters/{m.requester.public_id}/billing-details", {"name": "Ada Byron"}
    ),
    "configuration.version_published": _publish_version,
    "configuration.webhook_added": make_webhook,
    "configuration.webhook_changed": lambda m: _webhook(m, "change"),
    "configuration.webhook_removed": lambda m: _webhook(m, "remove"),
    "configuration.secret_rotated": lambda m: _webhook(m, "rotate"),
    "configuration.letter_retried": _letter,
    "configuration.deployed": _deployed,
    "person.viewed": lambda m: m["staff"].get(f"workers/{m.worker.public_id}").expect(200),
    "person.searched": lambda m: m["staff"].get("people?search=Acme").expect(200),
}
# A key waits for its requester only where the crowd gave it: that is done in the tests of gold from agreement.
ELSEWHERE = {"gold.key_confirmed"}
# What would end the market for those that come after.
LAST = {
    "money.batch_cancelled", "money.batch_closed", "money.payout_cancelled", "money.payout_refused", "money.run_made",
    "money.payout_approved", "money.invoice_issued", "money.run_file_taken", "money.destination_removed",
    "permission.member_removed", "gold.key_retired",
}  # fmt: skip


def test_every_act_of_the_list_is_done_here() -> None:
    assert set(DONE) | ELSEWHERE == ACTS


@pytest.mark.parametrize("act", sorted(DONE))
def test_an_act_leaves_exactly_one_row_of_its_name(market: Market, settings: Any, act: str) -> None:
    """Whatever else its way in has to do first; and a repeat, where it may be repeated, leaves no second."""
    settings.INVOICE_SELLER = SELLER
    before = Counter(Act.objects.values_list("act", flat=True))
    DONE[act](market)
    after = Counter(Act.objects.values_list("act", flat=True))
    # To take a role, to make a run or to release one, somebody is made staff first.
    assert after[act] - before[act] == 1
    row = Act.objects.filter(act=act).latest("pk")
    assert row.subject and row.subject_id and row.request_id


def test_nothing_of_a_person_and_no_secret_is_in_the_log(market: Market, settings: Any) -> None:
    settings.INVOICE_SELLER = SELLER
    for act in [*sorted(set(DONE) - LAST), "money.payout_approved", "money.batch_closed"]:
        if act not in ("money.deposit_reversed", "export.link_ended"):
            DONE[act](market)
    names = ("act", "via", "subject", "subject_id", "why", "before", "after", "request_id")
    text = " ".join(" ".join(map(str, row)) for row in Act.objects.values_list(*names))
    emails = User.objects.values_list("email", flat=True)
    for secret in [*emails, people.PASSWORD, "Byron", "Ada", "Bob", "secret-in-address", "one phone", "No animals"]:
        assert secret not in text, secret
    assert "@" not in text


def test_a_refusal_leaves_no_row(market: Market) -> None:
    before = Act.objects.count()
    assert market["owner"].post(f"payouts/{market.payout.public_id}/approve").status == 403
    assert market["viewer"].post(f"{_at(market)}/cancel").status == 403
    assert market["staff"].post(f"payouts/{uuid4()}/approve").status == 404
    assert Act.objects.count() == before


def test_what_the_site_decides_by_itself_is_told_as_such(market: Market, clock: Callable[[timedelta], None]) -> None:
    make_appeal(market)
    clock(timedelta(days=60))
    market["staff"].get("appeals").expect(200)
    row = Act.objects.get(act="reject.appeal_decided")
    assert (row.actor_id, row.via, row.after["decision"]) == (None, "system", "lapsed")
