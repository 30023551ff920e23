"""The staff's pages: what each shows, what its forms do, and what is said where something is wrong."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from marketplace.accounts.commands.sanctions import impose
from marketplace.accounts.models import Act, Requester, Sanction, StaffRole
from marketplace.accounts.queries import staff_roles
from marketplace.backoffice.views.configuration import RULES_EXAMPLE
from marketplace.billing.models import Deposit, DepositReport
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.queries import balance
from marketplace.pages.queries import redis_version
from marketplace.payouts.models import Payout, Report
from tests import factories as make
from tests.api.callers import caller_for
from tests.api.market import make_appeal, make_review
from tests.payouts import people
from tests.staff.desk import at_desk, desk, make_staff, send, told
from tests.web.visitors import client_of, key_in, text_of
from workers.appeals.commands.open import contest_sanction
from workers.appeals.models import Appeal
from workers.profiles.models import Worker
from workers.reputation.commands import set_platform_rules
from workers.reputation.models import PlatformRules

pytestmark = pytest.mark.django_db
# Loads every view: on a busy machine that takes longer than a test's transaction may sit idle.
reverse("staff_health")

OWN = {
    "/staff/": set(StaffRole.values),
    "/staff/configuration/": set(StaffRole.values),
    "/staff/log/check/": set(StaffRole.values),
    "/staff/people/": set(StaffRole.values),
    "/staff/quality/": {"support", "quality", "superuser"},
    "/staff/quality/firings/": {"support", "quality", "superuser"},
    "/staff/people/sanctions/": {"support", "quality", "superuser"},
    "/staff/appeals/": {"support", "quality", "superuser"},
    "/staff/rejections/": {"support", "quality", "superuser"},
    "/staff/configuration/rules/": {"quality", "superuser"},
    "/staff/configuration/staff/": {"superuser"},
    "/staff/log/": {"finance", "superuser"},
    "/staff/money/": {"finance", "superuser"},
    "/staff/money/books/": {"finance", "superuser"},
    "/staff/money/in/": {"finance", "superuser"},
    "/staff/money/payouts/": {"finance", "superuser"},
    "/staff/money/runs/": {"finance", "superuser"},
    "/staff/money/reconciliation/": {"finance", "superuser"},
    "/staff/money/attempts/": {"finance", "superuser"},
}


@pytest.mark.parametrize("role", StaffRole.values)
def test_each_role_sees_its_pages_and_is_linked_to_no_other(role: str) -> None:
    client = desk(role)
    for path, roles in OWN.items():
        page = client.get(path)
        assert page.status_code == (200 if role in roles else 403), path
        if page.status_code == 200:
            assert "no-store" in page["Cache-Control"]
            linked = {one for one in OWN if f'href="{one}"' in page.content.decode()}
            assert all(role in OWN[one] for one in linked), path


@pytest.mark.parametrize("path", OWN)
def test_to_others_there_is_nothing_and_strangers_sign_in(path: str) -> None:
    assert client_of(make.make_worker().user).get(path).status_code == 404
    assert client_of(make.owner_of(make.make_requester())).get(path).status_code == 404
    assert Client().get(path).url == f"/accounts/login/?next={path}"


def test_a_page_of_another_role_says_which_and_leads_back() -> None:
    page = desk("support").get("/staff/money/")
    assert page.status_code == 403
    assert "for staff with the role Finance, and for superusers. Your role is Support." in text_of(page)
    assert 'href="/staff/"' in page.content.decode() and 'href="/staff/appeals/"' in page.content.decode()


def test_health_tells_what_is_late_and_what_each_server_says() -> None:
    page = text_of(desk("support").get("/staff/"))
    for words in ("PostgreSQL", "Workers online", "Open places", "Finding an open place", "Background workers"):
        assert words in page
    assert f" {redis_version()} " in page


def test_a_deposit_is_recorded_once_and_may_be_taken_back() -> None:
    client, requester = desk("finance"), make.make_requester(0)
    at = "/staff/money/in/"
    said = {
        "what": "deposit", "requester": str(requester.public_id), "amount": "12.50", "currency": "EUR",
        "channel": "bank", "reference": "R-1", "evidence": "Statement 7", "form_key": key_in(client.get(at)),
    }  # fmt: skip
    assert [client.post(at, said).status_code for _ in range(2)] == [303, 303]
    deposit = Deposit.objects.get()
    assert balance(funds_of(requester.public_id), "EUR") == 12_500_000
    assert "Statement 7" in text_of(client.get(at))
    back = f"{at}{deposit.public_id}/reverse/"
    assert send(client, back, reason="").status_code == 422
    assert send(client, back, reason="typed twice").url == at
    assert balance(funds_of(requester.public_id), "EUR") == 0
    assert len(told("money.deposit_recorded")) == len(told("money.deposit_reversed")) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"requester": str(uuid4())}, "There is no such requester."),
        ({"amount": "0"}, "greater than or equal to"),
        ({"currency": "euro"}, "Enter a valid value."),
        ({"reference": ""}, "This field is required."),
    ],
)
def test_what_is_wrong_with_a_deposit_is_said_at_its_field(wrong: dict[str, str], words: str) -> None:
    client, requester = desk("finance"), make.make_requester(0)
    said = {
        "what": "deposit", "requester": str(requester.public_id), "amount": "12.50", "currency": "EUR",
        "channel": "bank", "reference": "R-1", "evidence": "kept words",
    }  # fmt: skip
    page = send(client, "/staff/money/in/", **(said | wrong))
    assert page.status_code == 422
    assert words in text_of(page) and "kept words" in page.content.decode()
    assert not Deposit.objects.exists()


def test_the_organisation_of_a_deposit_is_found_by_its_name_and_asked_back_where_several_have_it() -> None:
    client, at = desk("finance"), "/staff/money/in/"
    wanted, *others = (make.make_requester(0) for _ in range(3))
    Requester.objects.filter(pk=wanted.pk).update(name="Northern Birds")
    assert f'<option value="{wanted.public_id}">Northern Birds</option>' in client.get(at).content.decode()
    said = {"what": "deposit", "amount": "1", "currency": "EUR", "channel": "bank", "reference": "R"}
    unclear = send(client, at, **said, requester="Acme")
    assert unclear.status_code == 422 and "Which one?" in text_of(unclear)
    assert all(str(one.public_id) in text_of(unclear) for one in others)
    assert "No organisation has such a name." in text_of(send(client, at, **said, requester="Nobody"))
    assert not Deposit.objects.exists()
    assert send(client, at, **said, requester="northern birds").url == at
    assert Deposit.objects.get().requester_id == wanted.pk


def test_a_banks_report_says_what_differs() -> None:
    client, requester = desk("finance"), make.make_requester(0)
    make.make_deposit(requester, 12_500_000, reference="R1")
    text = b"reference,amount,currency,date\nR1,12.50,EUR,2026-10-01\nR2,9.00,EUR,2026-10-01\n"
    file = SimpleUploadedFile("bank.csv", text, content_type="text/csv")
    assert send(client, "/staff/money/in/", what="report", channel="bank", file=file).status_code == 303
    report = DepositReport.objects.get()
    page = text_of(client.get(f"/staff/money/in/reports/{report.public_id}/"))
    assert "Reported and not recorded here 1" in page and "R2" in page


def test_a_payout_is_approved_put_into_a_run_released_and_reported() -> None:
    first, second = at_desk(make_staff("finance")), at_desk(make_staff("finance"))
    worker = people.make_payee(9 * people.EURO)
    place = people.aged(people.add, worker)
    payout = people.ask(worker, place)
    page = first.get("/staff/money/payouts/")
    assert worker.user.email in text_of(page)
    at = f"/staff/money/payouts/{payout.public_id}/"
    assert first.post(f"{at}approve/", {"form_key": key_in(page)}).url == "/staff/money/payouts/"
    assert send(first, "/staff/money/runs/", provider="manual", currency="EUR").url == "/staff/money/runs/"
    run = Payout.objects.get().run
    assert run is not None
    at = f"/staff/money/runs/{run.public_id}/"
    second.post(f"{at}release/", {"form_key": key_in(second.get(at))})
    assert second.get(f"{at}file/").status_code == 200
    assert send(first, at, outcome="failed").status_code == 422, "money that goes back needs a reason"
    assert send(first, at, outcome="settled").url == at
    assert people.state_of(payout) == "settled"


def test_a_payout_is_refused_with_words_for_the_worker_and_nobody_decides_on_his_own() -> None:
    staff = make_staff("finance")
    worker = Worker.objects.create(user=staff)
    people.earn(worker, 9 * people.EURO)
    own = people.ask(worker, people.aged(people.add, worker))
    client = at_desk(staff)
    page = client.get("/staff/money/payouts/")
    client.post(f"/staff/money/payouts/{own.public_id}/approve/", {"form_key": key_in(page)})
    assert "for it is yours" in text_of(client.get("/staff/money/payouts/"))
    assert people.state_of(own) == "requested"
    at = f"/staff/money/payouts/{own.public_id}/refuse/"
    assert send(desk("finance"), at, reason="We could not reach you.").url == "/staff/money/payouts/"
    assert people.state_of(own) == "refused"


@pytest.mark.parametrize(
    ("first", "last"), [("2026-01-01", "9999-12-31"), ("0001-01-01", "2026-01-31"), ("9999-12-31", "9999-12-31")]
)
def test_a_report_of_days_that_the_calendar_does_not_have_is_refused_at_them(first: str, last: str) -> None:
    file = SimpleUploadedFile("r.csv", b"key,reference,amount,currency,state\n")
    reply = send(desk("finance"), "/staff/money/reconciliation/", provider="manual", first=first, last=last, file=file)
    assert (reply.status_code, "Choose a day of this century." in text_of(reply)) == (422, True)
    assert not Report.objects.exists()


def test_a_providers_report_is_compared() -> None:
    client = desk("finance")
    file = SimpleUploadedFile("r.csv", b"key,reference,amount,currency,state\nts-x,1,12.50,EUR,settled\n")
    said = {"provider": "manual", "first": "2026-01-01", "last": "2026-01-31", "file": file}
    assert send(client, "/staff/money/reconciliation/", **said).status_code == 303
    page = text_of(client.get(f"/staff/money/reconciliation/{Report.objects.get().public_id}/"))
    assert "Paid there, and no payout of ours has the key" in page


def test_the_books_are_green_once_somebody_has_them_checked() -> None:
    make.make_deposit(make.make_requester())
    client, at = desk("finance"), "/staff/money/books/"
    assert "Nobody has checked yet" in text_of(client.get(at))
    assert send(client, at).url == at
    for reader in (client, desk("finance")):
        page = text_of(reader.get(at))
        assert "Every posting, balance and seal follows from the transfers." in page
        assert "History is closed" in page and "Check again" in page


def test_a_worker_is_found_and_shown_to_each_role_as_far_as_it_goes() -> None:
    worker = people.make_payee(9 * people.EURO)
    people.aged(people.add, worker)
    at = f"/staff/people/workers/{worker.public_id}/"
    found = desk("support").get("/staff/people/", {"search": worker.user.email[:9]})
    assert worker.user.email in text_of(found)
    unseen = desk("quality").get("/staff/people/", {"search": worker.user.email})
    assert "Nobody found" in text_of(unseen)
    support, finance, quality = (text_of(desk(role).get(at)) for role in ("support", "finance", "quality"))
    assert worker.user.email in support and "On the account" not in support
    assert worker.user.email not in finance and "Ada, …" in finance
    assert worker.user.email not in quality and "Ada, …" not in quality
    assert len(told("person.viewed")) == 3 and len(told("person.searched")) == 2
    assert worker.user.email not in str(list(Act.objects.values_list("subject_id", "after")))


SANCTION = {
    "measure": "limit", "scope": "platform", "place": "", "pace_s": "", "reason": "haste",
    "words": "You answered before the pictures were loaded.", "evidence": "40 answers under one second", "days": "7",
}  # fmt: skip


def test_a_worker_is_limited_with_reason_evidence_and_an_end_and_the_limit_is_lifted() -> None:
    client, worker = desk("quality"), make.make_worker()
    at = f"/staff/people/workers/{worker.public_id}/"
    assert send(client, f"{at}sanction/", **SANCTION).url == at
    sanction = Sanction.objects.get()
    assert (sanction.measure, sanction.reason, sanction.evidence) == (
        "limit", "haste", {"note": "40 answers under one second"},
    )  # fmt: skip
    assert timedelta(days=6) < sanction.expires_at - sanction.made_at <= timedelta(days=7, seconds=5)
    page = text_of(client.get(at))
    assert "You answered before the pictures were loaded." in page and "40 answers under one second" in page
    lift = f"/staff/people/sanctions/{sanction.public_id}/lift/"
    assert send(client, lift, reason="").status_code == 422
    assert send(client, lift, reason="It was the network.").url == at
    assert "Lifted because: It was the network." in text_of(client.get(at))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"words": ""}, "This field is required."),
        ({"evidence": ""}, "This field is required."),
        ({"measure": "slow_down"}, "Say how many seconds."),
        ({"pace_s": "5"}, "Is of slow down, and of nothing else"),
        ({"scope": "batch"}, "The batch, project or organisation that it reaches"),
        ({"scope": "batch", "place": str(uuid4())}, "There is no such batch."),
        ({"measure": "ban", "scope": "requester", "place": "own"}, "Ban is made by a person, for the whole platform"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_in_words(wrong: dict[str, str], words: str) -> None:
    client, worker = desk("support"), make.make_worker()
    if wrong.get("place") == "own":
        wrong = wrong | {"place": str(make.make_requester(0).public_id)}
    page = send(client, f"/staff/people/workers/{worker.public_id}/sanction/", **(SANCTION | wrong))
    assert page.status_code == 422
    assert words in text_of(page)
    assert "40 answers under one second" in page.content.decode() or "evidence" in wrong
    assert not Sanction.objects.exists()


def limited() -> tuple[Worker, Sanction, Any]:
    worker, by = make.make_worker(), make_staff("quality")
    with one_transaction(principal="test"):
        sanction = impose(
            user_id=worker.user_id, scope="platform", scope_id=None, measure="limit", reason="haste",
            words="Too fast.", evidence={"note": "one second each"}, life=timedelta(days=7), made_by=by.pk,
        )  # fmt: skip
    return worker, sanction, by


def test_an_appeal_is_decided_by_somebody_who_has_no_part_in_it() -> None:
    worker, sanction, by = limited()
    with one_transaction(principal="test"):
        appeal = contest_sanction(worker_id=worker.pk, sanction=sanction.public_id, words="I know them by heart.")
    at = f"/staff/appeals/{appeal.public_id}/"
    assert "I know them by heart." in text_of(desk("support").get("/staff/appeals/"))
    said = {"what": "decide", "decision": "uphold", "reason": "So he does."}
    assert "You have a part in the matter" in text_of(at_desk(by).get(at))
    client = desk("support")
    page = text_of(client.get(at))
    assert "I know them by heart." in page and "one second each" in page and worker.user.email not in page
    assert send(client, at, **said).url == at
    sanction.refresh_from_db()
    assert sanction.lifted_at is not None
    assert Appeal.objects.get().state == "upheld"
    assert "So he does." in text_of(client.get(at))


def test_somebody_else_is_named_to_judge(market: Any) -> None:
    appeal, expert = make_appeal(market), make.make_user()
    client, at = desk("quality"), f"/staff/appeals/{appeal.public_id}/"
    wrong = send(client, at, what="adjudicator", email="nobody@example.org", reason="expert")
    assert wrong.status_code == 422 and "Nobody has signed up with this address." in text_of(wrong)
    assert send(client, at, what="adjudicator", email=expert.email, reason="knows cats").url == at
    appeal.refresh_from_db()
    assert appeal.adjudicator_id == expert.pk
    shown = text_of(client.get(at))
    assert "What he answered" in shown and "Cat" in shown


def test_rejections_that_wait_are_decided(market: Any) -> None:
    review = make_review(market)
    client, at = desk("support"), f"/staff/rejections/{review.public_id}/"
    assert "too many" in text_of(client.get("/staff/rejections/"))
    shown = client.get(at)
    assert "No animals." in text_of(shown) and ">Cat</td>" in shown.content.decode()
    assert send(client, at, decision="refuse", reason="They are animals.").url == at
    review.refresh_from_db()
    assert review.state == "refused"


def test_an_organisation_shows_how_it_rejects() -> None:
    requester = make.make_requester()
    at = f"/staff/people/requesters/{requester.public_id}/"
    page = text_of(desk("support").get(at))
    assert "Rejects, of what it decided in 90 days" in page and make.owner_of(requester).email in page
    assert make.owner_of(requester).email not in text_of(desk("finance").get(at))


def test_the_log_is_filtered_by_what_is_listed_only() -> None:
    client, requester = desk("finance"), make.make_requester(0)
    deposit = make.make_deposit(requester)
    page = text_of(client.get("/staff/log/", {"kind": "money", "subject_id": str(deposit.public_id)}))
    assert "money.deposit_recorded" in page and "permission." not in page
    assert client.get("/staff/log/", {"kind": "conjured"}).status_code == 422
    assert client.get("/staff/log/", {"actor": "x"}).status_code == 422
    whole = text_of(client.get("/staff/log/", {"actor__email__startswith": "a"}))
    assert "money.deposit_recorded" in whole, "what is not listed filters nothing"


def test_the_check_of_the_chain_is_green() -> None:
    client, at = desk("support"), "/staff/log/check/"
    assert send(client, at).url == at
    assert "Yes: each of" in text_of(client.get(at))


@pytest.mark.parametrize("role", StaffRole.values)
def test_the_settings_tell_a_role_no_more_than_the_api_does(role: str) -> None:
    by = make_staff("quality").pk
    with one_transaction(principal="test"):
        set_platform_rules(quality={"preset": "fast"}, note="Because of the ring.", by=by)
    staff = make_staff(role)
    page, caller = text_of(at_desk(staff).get("/staff/configuration/")), caller_for(staff, "staff")
    assert "Staff look from" in page
    assert ("Because of the ring." in page, caller.get("platform-rules").status == 200) == (
        (True, True) if role in ("quality", "superuser") else (False, False)
    )
    assert ("platform rules" in page, caller.get("audit-log").status == 200) == (
        (True, True) if role in ("finance", "superuser") else (False, False)
    )


def test_platform_rules_are_replaced_with_a_note_and_the_earlier_ones_stay() -> None:
    client, at = desk("quality"), "/staff/configuration/rules/"
    for quality, note in (('{"preset": "fast"}', "From today."), ("{}", "Not any more.")):
        assert send(client, at, quality=quality, note=note).url == "/staff/configuration/"
    assert list(PlatformRules.objects.order_by("pk").values_list("quality", flat=True)) == [{"preset": "fast"}, {}]
    page = text_of(client.get("/staff/configuration/"))
    assert "Not any more." in page and "From today." in page
    assert "None: only the rules of each batch judge." in page
    assert send(client, at, quality="", note="x").status_code == 422, "nothing typed is no wish to have none"
    assert send(client, at, quality='{"preset": "none there is"}', note="x").status_code == 422
    deep, long = "[" * 10_000, "9" * 5_000
    for wrong in ("{", f'{{"rules": {deep}', f'{{"rules": {long}}}', '{"\\ud800": 1}', '{"preset": "\\u0000"}', "[]"):
        assert send(client, at, quality=wrong, note="x").status_code == 422, wrong[:40]
    assert PlatformRules.objects.count() == 2


def test_what_is_wrong_with_rules_is_said_with_its_rule_and_key_and_the_example_is_right() -> None:
    client, at = desk("quality"), "/staff/configuration/rules/"
    assert "fails check questions" in text_of(client.get(at)) and "/api/v1/docs" in client.get(at).content.decode()
    wrong = {"rules": [*RULES_EXAMPLE["rules"], {"name": "odd", "all": [], "then": [{"do": "shout"}], "words": "Odd."}]}
    page = text_of(send(client, at, quality=json.dumps(wrong), note="x"))
    assert "Rule 2, all: " in page and "Rule 2, then 1, do: " in page
    assert send(client, at, quality=json.dumps(RULES_EXAMPLE), note="From today.").status_code == 303


def test_roles_are_given_and_taken_on_a_page_but_not_ones_own() -> None:
    boss, user = make_staff(), make.make_user()
    client, at = at_desk(boss), "/staff/configuration/staff/"
    assert send(client, at, email="nobody@example.org", role="finance").status_code == 422
    assert send(client, at, email=user.email, role="finance").url == at
    assert staff_roles(user.pk) == {"finance"}
    assert "The person signs in again." in text_of(client.get(at))
    assert send(client, at, email=user.email, role="finance").url == at
    assert "has this role already; nothing has changed." in text_of(client.get(at))
    assert user.email in text_of(client.get(at))
    own = send(client, at, email=boss.email, role="finance")
    assert own.status_code == 422 and "nobody his own" in text_of(own)
    assert send(client, f"{at}{user.public_id}/revoke/", role="finance").url == at
    assert staff_roles(user.pk) == frozenset()
