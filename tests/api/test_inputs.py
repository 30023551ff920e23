"""What requests may carry (R29, R32), and what a repeated request gets (R16)."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from marketplace.api import imports
from marketplace.batches.models import Batch, Task
from marketplace.common.models import Idempotency
from marketplace.common.money import AMOUNT_MAX
from marketplace.projects.models import Project
from tests import factories as make
from tests.api.callers import Caller, Reply
from tests.api.described import description
from tests.api.market import Market, make_appeal, make_market, make_review, make_webhook, two_ids
from tests.factories import INTERFACE
from tests.payouts import people

Together = Callable[..., list[Any]]
NO_JSON = ["{", "", "[]", '"a"', "5", "null", '{"name": "a", "name": "b"}', '{"name": NaN}', '{"name": -Infinity}',
           '{"name": 1e999}', '{"name": "\\u0000"}', '{"name": "\\ud800"}', '{"name":' + "[" * 100_000,
           '{"name": ' + "9" * 5_000 + "}", b'{"name": "\xff"}', b'\xef\xbb\xbf{"name": "a"}']  # fmt: skip


def fitting(market: Market) -> dict[str, tuple[str, dict[str, Any]]]:
    """Address → who asks there, and a body that is right."""
    lease = market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"][0]
    at, project = f"batches/{market.batch.public_id}", f"projects/{market.project.public_id}"
    requester = str(market.requester.public_id)
    people.forget_codes()
    proof = {"password": people.PASSWORD, "code": people.code_of(market.worker.user)}
    webhook, delivery = make_webhook(market)
    hook = f"webhooks/{webhook.public_id}"
    return {
        "accounts": ("anonymous", {"email": "new@people.example"}),
        "accounts/confirmations": ("anonymous", {"code": "x", "password": "twelve apples", "name": "N"}),
        "invitations": ("staff", {"accounts": [{"email": "i@people.example", "name": "I", "worker": True}]}),
        "invitations/accept": ("anonymous", {"code": str(uuid4()), "password": "twelve apples"}),
        "tickets": ("worker", {"socket": "worker"}),
        "requesters": ("owner", {"name": "R"}),
        f"requesters/{requester}/member-invitations": ("owner", {"email": "m@people.example", "role": "viewer"}),
        "member-invitations/accept": ("owner", {"code": str(uuid4())}),
        "member-invitations/read": ("owner", {"code": str(uuid4())}),
        "interfaces/check": ("owner", {"interface": INTERFACE}),
        "instructions/preview": ("owner", {"instructions": "*A*"}),
        f"requesters/{requester}/skills": ("owner", {"kind": "skill", "name": "S", "description": ""}),
        f"requesters/{requester}/lists": ("owner", {"name": "L", "description": ""}),
        f"skills/{market.skill.public_id}/grants": (
            "owner",
            {"worker": market.known, "value": 0.5, "evidence": "exam", "expires_in_s": 60},
        ),
        f"skills/{market.skill.public_id}/revoke": ("owner", {"worker": market.known, "reason": "mistake"}),
        f"lists/{market.worker_list.public_id}/members": ("owner", {"add": [market.known], "remove": []}),
        "workers/links": ("staff", {"workers": [str(one) for one in two_ids()], "reason": "same"}),
        f"workers/links/{market.link.public_id}/end": ("staff", {"reason": "mistake"}),
        "sanctions": (
            "staff",
            {
                "worker": str(market.other_worker.public_id), "scope": "batch", "place": str(market.batch.public_id),
                "measure": "slow_down", "pace_s": 5, "reason": "haste", "words": "Slow.", "evidence": "Two seconds.",
                "expires_in_s": 60,
            },
        ),
        f"sanctions/{market.sanction.public_id}/lift": ("staff", {"reason": "mistake"}),
        f"requesters/{requester}/sanctions": (
            "owner",
            {
                "worker": market.known, "scope": "project", "place": str(market.project.public_id),
                "measure": "slow_down", "pace_s": 5, "reason": "haste", "words": "Slow.", "evidence": "Two seconds.",
                "expires_in_s": 60,
            },
        ),
        f"requesters/{requester}/sanctions/{market.sanction.public_id}/lift": ("owner", {"reason": "mistake"}),
        f"{at}/datasets": ("owner", {"format": "jsonl", "splits": {"train": 0.5, "test": 0.5}, "seed": "s"}),
        f"{at}/datasets/1/links": ("owner", {"expires_in_s": 60}),
        f"{at}/adjudications": (
            "owner",
            {"task": "t0", "values": {"label": "cat"}, "reason": "plain", "words": "", "sampled": False},
        ),
        "label-studio/interface": (
            "owner",
            {
                "config": '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/>'
                '<Choice value="b"/></Choices></View>'
            },
        ),
        "deposits": (
            "staff",
            {
                "requester": requester, "amount_micros": 5, "currency": "EUR", "reference": str(uuid4()),
                "channel": "bank", "evidence": "line 4",
            },
        ),
        f"deposits/{make.make_deposit(market.requester).public_id}/reverse": ("staff", {"reason": "typed twice"}),
        f"requesters/{requester}/invoices": ("owner", {"month": "2026-01", "currency": "EUR"}),
        f"invoices/{make.make_invoice(market.requester).public_id}/credit-note": ("staff", {"reason": "wrong"}),
        "projects": ("owner", {"requester": requester, "name": "P", "interface": INTERFACE, "instructions": ""}),
        f"{project}/versions": ("owner", {"interface": INTERFACE, "instructions": ""}),
        f"{project}/versions/1/publish": ("owner", {}),
        f"{project}/batches": (
            "owner",
            {
                "name": "B", "price_micros": 5, "currency": "EUR", "overlap": 1, "time_limit_s": 60, "auto_accept_s": 0,
                "lease_cap": 1, "order": "spread", "lease_max_s": 60, "worker_limit": 1, "daily_limit": 1,
                "pair_limit": 1, "max_attempts": 1, "head_start_s": 0, "version": 1, "audience": {}, "gold": {},
                "aggregation": {}, "quality": {}, "kind": "regular", "expected_s": 10,
            },
        ),
        f"{project}/quality/dry-run": (
            "owner",
            {"quality": {"preset": "fast"}, "batch": str(market.batch.public_id)},
        ),
        "platform-rules": ("staff", {"quality": {}, "note": "None."}),
        f"{at}/terms": ("owner", {"name": "B", "price_micros": 5, "overlap": 1, "kind": "pilot", "expected_s": 5}),
        f"{at}/copy": ("owner", {"name": "C", "version": 1, "items": False}),
        f"{at}/continue": (
            "owner",
            {"name": "D", "price_micros": 5, "time_limit_s": 60, "new_workers": False, "quarantined": False},
        ),
        f"{at}/pilot": ("owner", {"items": 1}),
        f"{at}/items/remove": ("owner", {"tasks": ["t0"]}),
        f"{at}/gold/keys": ("owner", {"keys": [{"task": "t0", "key": {"label": "cat"}}]}),
        f"{at}/gold/remove": ("owner", {"tasks": ["g0"]}),
        f"{at}/holds/release": ("owner", {"worker": market.known, "reason": "They are right."}),
        f"{at}/more-places": ("owner", {"tasks": ["t0"], "by": 1}),
        f"{at}/gold/confirm": ("owner", {"tasks": ["g0"]}),
        f"{at}/gold/retire": ("owner", {"tasks": ["g0"]}),
        f"{project}/audience": ("owner", {"audience": {"country": {"in": ["DE"]}}}),
        f"{at}/publish": ("owner", {}),
        f"{at}/quarantine/release": ("owner", {"tasks": ["t0"]}),
        f"{at}/answers/accept": ("owner", {"answers": [], "all_submitted": False}),
        f"{at}/answers/reject": (
            "owner",
            {"answers": [str(uuid4())], "all_submitted": False, "reason": "wrong", "comment": "No.", "version": 1},
        ),
        f"{at}/answers/return": ("owner", {"answers": [str(uuid4())], "reason": "wrong", "comment": "Again."}),
        f"rejection-reviews/{make_review(market).public_id}/approve": ("staff", {"reason": "so"}),
        f"rejection-reviews/{make_review(market).public_id}/refuse": ("staff", {"reason": "so"}),
        f"appeals/{make_appeal(market).public_id}/decide": ("staff", {"decision": "refuse", "reason": "so"}),
        f"appeals/{make_appeal(market).public_id}/adjudicator": (
            "staff",
            {"email": make.make_user().email, "reason": "expert"},
        ),
        f"requesters/{requester}/appeals/{make_appeal(market).public_id}/statement": ("owner", {"words": "It barks."}),
        f"requesters/{requester}/webhooks": (
            "owner",
            {"url": "https://hooks.example.org/in", "events": ["batch.settled"], "description": "Mine"},
        ),
        f"{hook}/pause": ("owner", {}),
        f"{hook}/resume": ("owner", {}),
        f"{hook}/rotate": ("owner", {"overlap_s": 60}),
        f"{hook}/test": ("owner", {}),
        f"{hook}/replay": ("owner", {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}),
        f"{hook}/deliveries/{delivery.public_id}/replay": ("owner", {}),
        f"{hook}/remove": ("owner", {}),
        "worker/appeals": ("worker", {"assignment": str(uuid4()), "words": "No."}),
        f"{at}/answers/uphold": ("staff", {"answers": [str(uuid4())], "reason": "right"}),
        f"{at}/bonuses": ("owner", {"worker": "w_x", "amount_micros": 5, "reason": "good", "reference": "one"}),
        f"{at}/results": ("owner", {"method": "majority"}),
        "workers": ("worker", {"country": "DE", "languages": ["de"]}),
        "worker/introductions": ("worker", {"requester": requester}),
        f"worker/batches/{market.batch.public_id}/claim": ("worker", {"count": 1}),
        "worker/submissions": (
            "worker",
            {
                "answers": [
                    {"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}, "unclear": False}
                ],
                "then_claim": {"batch": str(market.batch.public_id), "count": 1},
            },
        ),
        f"payouts/{market.payout.public_id}/approve": ("staff", {}),
        f"payouts/{market.payout.public_id}/refuse": ("staff", {"reason": "odd"}),
        "payout-runs": (
            "staff",
            {"provider": "manual", "currency": "EUR", "payouts": [str(market.payout.public_id)]},
        ),
        f"payout-runs/{market.run.public_id}/release": ("staff", {}),
        "check/last": ("staff", {}),
        "staff": ("staff", {"email": market.worker.user.email, "role": "support"}),
        f"staff/{market.worker.user.public_id}/revoke": ("staff", {"role": "support"}),
        f"payout-runs/{market.run.public_id}/outcomes": (
            "staff",
            {"outcome": "failed", "payouts": [str(market.payout.public_id)], "reason": "closed"},
        ),
        "payout-reports": (
            "staff",
            {
                "provider": "manual", "since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z",
                "csv": "key,reference,amount,currency,state\n",
            },
        ),
        "worker/news/read": ("worker", {"epoch": str(uuid4()), "seq": 0}),
        "worker/totp": ("worker", {"password": people.PASSWORD}),
        "worker/totp/confirm": ("worker", {"token": "t", "code": "1"}),
        "worker/destinations": (
            "worker",
            {"provider": "manual", "currency": "EUR", "details": {"name": "A", "account": str(uuid4())}, **proof},
        ),
        f"worker/destinations/{market.destination.public_id}/remove": ("worker", proof),
        "worker/payouts": (
            "worker",
            {"destination": str(market.destination.public_id), "currency": "EUR", "amount_micros": 1_000_000},
        ),
        f"worker/payouts/{market.payout.public_id}/cancel": ("worker", {}),
        "worker/payout-thresholds": (
            "worker",
            {"destination": str(market.destination.public_id), "above_micros": 5_000_000, **proof},
        ),
        f"worker/assignments/{lease['id']}/return": ("worker", {"token": lease["token"], "reason": "broken", "comment": ""}),  # noqa: E501
    }  # fmt: skip


def test_the_bodies_below_are_all_that_the_api_reads(market: Market) -> None:
    described = {
        path
        for path, item in description()["paths"].items()
        if "application/json" in item.get("post", {}).get("requestBody", {}).get("content", {})
    }
    named = {
        "/api/v1/" + path.replace(str(market.requester.public_id), "{requester}")
        .replace(f"worker/batches/{market.batch.public_id}", "worker/batches/{batch}")
        .replace(f"batches/{market.batch.public_id}", "batches/{batch}")
        .replace(str(market.project.public_id), "{project}")
        .replace(str(market.skill.public_id), "{skill}")
        .replace(str(market.worker_list.public_id), "{list}")
        .replace(str(market.link.public_id), "{link}")
        .replace(str(market.sanction.public_id), "{sanction}")
        .replace("versions/1", "versions/{number}")
        .replace("datasets/1", "datasets/{number}")
        .replace(str(market.payout.public_id), "{payout}")
        .replace(str(market.run.public_id), "{run}")
        .replace(str(market.worker.user.public_id), "{user}")
        .replace(str(market.destination.public_id), "{destination}")
        for path in fitting(market)
    }  # fmt: skip
    named = {re.sub(r"/(deposit|invoice|appeal)s/[0-9a-f-]{36}", r"/\1s/{\1}", path) for path in named}
    named = {re.sub(r"/rejection-reviews/[0-9a-f-]{36}", "/rejection-reviews/{review}", path) for path in named}
    named = {re.sub(r"/webhooks/[0-9a-f-]{36}", "/webhooks/{webhook}", path) for path in named}
    named = {re.sub(r"/deliveries/[0-9a-f-]{36}", "/deliveries/{delivery}", path) for path in named}
    named = {
        path
        if "/assignments/" not in path or "/return" not in path
        else "/api/v1/worker/assignments/{assignment}/return"
        for path in named
    }

    # Keys are made with a password, and a file of tasks is no body of fields: they are looked at on their own.
    assert described - named == {"/api/v1/keys", "/api/v1/batches/{batch}/imports"}


def test_a_field_that_is_not_known_is_refused_everywhere_and_nothing_is_done(market: Market) -> None:
    bodies = fitting(market)
    before = (Batch.objects.count(), Project.objects.count())
    for path, (who, body) in bodies.items():
        for name in ("id", "pk", "state", "is_staff", "requester_id", "user__email", "_connector", "__proto__"):
            reply = market[who].post(path, {**body, name: 1})
            assert (reply.status, reply.code, reply.json["fields"]) == (400, "unknown-field", [name]), path
    assert (Batch.objects.count(), Project.objects.count()) == before


def test_fields_inside_of_others_are_known_too(market: Market) -> None:
    bodies = fitting(market)
    page = bodies["worker/submissions"][1]
    page["answers"][0]["worker_id"] = 1
    invitations = bodies["invitations"][1]
    invitations["accounts"][0]["is_staff"] = True

    assert market["worker"].post("worker/submissions", page).code == "unknown-field"
    assert market["staff"].post("invitations", invitations).code == "unknown-field"


WRONG: list[Any] = [
    None, True, 1, -1, 0, 1.5, 10**15 + 1, 2**63, 10**40, -(2**70), "", "x", "5", "\t", "é" * 300_000, [], [[]], [None],
    {}, {"a": {"$ne": 1}}, "00000000-0000-0000-0000-00000000000g", "%s", "'; --",
]  # fmt: skip


def test_a_value_of_another_kind_is_refused_and_never_breaks_anything(market: Market) -> None:
    """Each field of each body takes each value; the answer is never a 500, and a refusal names what is wrong."""
    broke = []
    for path, (who, body) in fitting(market).items():
        for name in body:
            for value in WRONG:
                # Otherwise every pass would be another account, and every lease would be given back.
                if name in ("email", "password") and isinstance(value, str) and "@" in value:
                    continue
                reply = market[who].post(path, {**body, name: value})
                if reply.status >= 500 or (reply.status == 422 and "errors" not in reply.json):
                    broke.append(f"{path} {name}={str(value)[:60]!r}: {reply.status} {reply.body[:200]!r}")
    assert broke == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price_micros", "5"), ("price_micros", True), ("price_micros", 5.0), ("price_micros", 0),
        ("price_micros", AMOUNT_MAX + 1), ("overlap", 51), ("overlap", 10**30), ("lease_cap", 0), ("currency", "eur"),
        ("currency", "EURO"), ("currency", "€€€"), ("time_limit_s", 604_801), ("auto_accept_s", -1), ("name", ""),
        ("name", "n" * 201), ("name", 5), ("audience", []), ("audience", {"score": {"min": 2}}),
        ("audience", {"score": {"min": "0.5"}}), ("audience", {"user__password__startswith": "a"}),
        ("gold", {"min_share": 0.5, "max_share": 0.1}), ("gold", {"min_share": -1}), ("gold", {"probation": 10**9}),
        ("aggregation", {"method": "os.system"}), ("aggregation", {"method": []}), ("version", 0),
    ],
)  # fmt: skip
def test_terms_out_of_bounds_are_refused_and_named(market: Market, name: str, value: Any) -> None:
    path = f"projects/{market.project.public_id}/batches"
    fine = {"name": "B", "price_micros": 5, "overlap": 1}
    market["owner"].post(path, fine).expect(201)

    reply = market["owner"].post(path, {**fine, name: value})

    assert reply.status == 422
    assert {error["field"].partition(".")[0] for error in reply.json["errors"]} == {name}


def test_a_truth_value_is_no_number_of_answers(market: Market) -> None:
    reply = market["owner"].post(
        f"projects/{market.project.public_id}/batches",
        {"name": "B", "price_micros": 5, "overlap": 1, "gold": {"probation": True}},
    )

    assert reply.status == 422


def test_deposits_are_in_a_currency(market: Market) -> None:
    body = {"requester": str(market.requester.public_id), "amount_micros": 5, "reference": "r"}
    for currency in ("eur", "€€€", "E R", "123", "EU\n"):
        reply = market["staff"].post("deposits", {**body, "currency": currency})
        assert (reply.status, [e["field"] for e in reply.json["errors"]]) == (422, ["currency"]), currency


@pytest.mark.parametrize("raw", NO_JSON)
def test_what_is_not_one_clear_json_object_is_refused(market: Market, raw: str | bytes) -> None:
    reply = market["owner"].post("requesters", raw=raw if isinstance(raw, bytes) else raw.encode())

    assert reply.status in (400, 422)
    assert reply.headers["Content-Type"] == "application/problem+json"
    if raw:
        assert (reply.status, reply.code) == (400, "malformed")


def test_a_body_of_another_content_type_is_refused(market: Market) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a/b", "x"):
        assert market["owner"].post("requesters", raw=b'{"name": "R"}', content_type=kind).status == 415, kind
        path = f"batches/{market.draft.public_id}/imports"
        assert market["owner"].post(path, raw=b'{"external_id": "n"}', content_type=kind).status == 415, kind
    assert Task.objects.filter(batch=market.draft).count() == 2


def test_a_body_beyond_the_limit_is_refused(market: Market) -> None:
    reply = market["owner"].post("requesters", raw=b'{"name": "' + b"x" * 5 * 1024 * 1024 + b'"}')

    assert (reply.status, reply.code) == (413, "too-large")


@pytest.mark.parametrize("bad", ["x", "1", "00000000-0000-0000-0000-00000000000g", "%00", "..%2f..", "'--"])
def test_an_id_that_is_none_is_not_found(market: Market, bad: str) -> None:
    for path in (
        f"batches/{bad}",
        f"projects/{bad}",
        f"requesters/{bad}/members",
        f"batches/{bad}/exports/results.csv",
    ):
        assert market["owner"].get(path).status == 404
    for number in ("0", "99", "9" * 30, "9" * 5_000):
        assert market["owner"].get(f"projects/{market.project.public_id}/versions/{number}").status == 404
        assert market["owner"].post(f"projects/{market.project.public_id}/versions/{number}/publish").status == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=1001", "limit=x", "limit=1e2", "limit=", "limit=%D9%A1", "cursor=x", "cursor=",
        "cursor=%00", "offset=5", "user__password__startswith=a", "_connector=OR", "_negated=1", "order=-password",
        "requester__members__user__email=a",
    ],
)  # fmt: skip
def test_lists_take_no_parameter_but_their_own(market: Market, query: str) -> None:
    at = f"batches/{market.batch.public_id}"
    for path in ("batches", "projects", "requesters", "keys", f"{at}/answers", f"{at}/results",
                 f"requesters/{market.requester.public_id}/transfers"):  # fmt: skip
        reply = market["owner"].get(f"{path}?{query}")
        assert (reply.status, reply.code in ("malformed", "unknown-field", "bad-cursor")) == (400, True), path
    assert market["worker"].get(f"worker/batches?{query}").status == 400


def test_exports_and_short_lists_take_no_unknown_parameter(market: Market) -> None:
    at = f"batches/{market.batch.public_id}"
    for path in (f"{at}/exports/answers.csv?run=x", f"{at}/exports/results.csv?runn=x"):
        assert market["owner"].get(path).code == "unknown-field"
    assert market["owner"].get(f"{at}/exports/results.csv?run=x").status == 422
    assert market["worker"].get("worker/assignments?state=submitted").status == 422
    assert market["worker"].get("worker/assignments?worker=1").code == "unknown-field"
    assert market["worker"].get("worker/assignments?state=leased").status == 200
    assert market["worker"].get("worker/reputation?project=1").code == "unknown-field"
    assert market["owner"].get(f"{at}/answers?state=leased").status == 422


def test_a_cursor_of_one_list_opens_no_other(market: Market) -> None:
    following = market["owner"].get("batches?limit=1").expect(200)["next"]
    cursor = following.partition("cursor=")[2].partition("&")[0]

    assert market["owner"].get(f"projects?cursor={cursor}").code == "bad-cursor"
    assert market["owner"].get(f"batches?cursor={cursor[:-4]}AAAA").code == "bad-cursor"
    # Another's list under the same cursor is still his own.
    assert market["other requester"].get(f"batches?cursor={cursor}").expect(200)["results"] == []


# --- imports -----------------------------------------------------------------------------------------------------


def bring(market: Market, raw: str | bytes, kind: str = "application/x-ndjson") -> Reply:
    body = raw if isinstance(raw, bytes) else raw.encode()
    return market["owner"].post(f"batches/{market.draft.public_id}/imports", raw=body, content_type=kind)


def test_wrong_rows_of_jsonl_come_back_by_number_and_nothing_is_kept(market: Market) -> None:
    lines = [
        '{"external_id": "fine", "data": {"text": "a"}}',
        "{",
        "[]",
        '{"external_id": "", "data": {"text": "a"}}',
        '{"external_id": "n", "data": {"text": "a\\u0000"}}',
        '{"external_id": "n", "data": {"text": 5}}',
        '{"external_id": "n", "data": {"other": "a"}}',
        '{"external_id": "n", "data": {"text": "a"}, "gold": {"label": "cow"}}',
        '{"external_id": "n", "data": {"text": "a"}, "reserved_for": "w_x"}',
        '{"external_id": "n", "data": {"text": "a"}, "overlap": 51}',
        '{"external_id": "n", "data": {"text": "a"}, "overlap": true}',
        '{"external_id": "n", "data": {"text": "a"}, "state": "accepted"}',
        '{"external_id": "n", "data": {"text": NaN}}',
        '{"external_id": "fine", "data": {"text": "twice"}}',
    ]
    reply = bring(market, "\n".join(lines))

    assert (reply.status, reply.code) == (422, "invalid-rows")
    assert [error["row"] for error in reply.json["errors"]] == [2, 3, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14]
    assert [error["field"] for error in reply.json["errors"]] == [
        "", "", "external_id", "data.text", "data.text", "data.text", "data.other", "gold.label", "reserved_for",
        "overlap", "overlap", "state", "", "external_id",
    ]  # fmt: skip
    assert Task.objects.filter(batch=market.draft).count() == 2


@pytest.mark.parametrize(
    ("raw", "row"),
    [
        ("external_id,data.text\nn,a,b\n", 1),
        ("external_id,data.text\nm,a\nn\n", 2),
        ("external_id,external_id\nn,a\n", 0),
        ("external_id,data.text,secret\nn,a,b\n", 1),
        ("external_id,data.text,overlap\nn,a,x\n", 1),
        ("external_id,data.text,overlap\nn,a,99999999999999999999\n", 1),
        ("external_id,data.text\nt0,a\n", 1),
        (b"external_id,data.text\nm,a\nn,\xff\n", 2),
        ("external_id,data.text\nn," + "x" * 200_000 + "\n", 1),
        ("external_id,data.text,gold.label,reserved_for\nn,a,cat,w_x\n", 1),
        ("external_id\n", 0),
        ("\n", 0),
    ],
)
def test_wrong_rows_of_csv_come_back_by_number_and_nothing_is_kept(market: Market, raw: str | bytes, row: int) -> None:
    reply = bring(market, raw, "text/csv; charset=utf-8")

    assert (reply.status, reply.code) == (422, "invalid-rows")
    assert reply.json["errors"][0]["row"] == row
    assert Task.objects.filter(batch=market.draft).count() == 2


@pytest.mark.parametrize(
    "raw",
    [
        '{"external_id": "d", "data": {"text": ' + "[" * 5_000,
        '{"external_id": "d", "data": ' + '{"a":' * 900 + "1" + "}" * 900 + "}",
        '{"external_id": "d", "data": {"text": "' + "x" * 2_000_000 + '"}}',
        '{"external_id": ' + "9" * 10_000 + "}",
        '{"external_id": "d", "data": {"text": "\\ud800"}}',
        '{"external_id": "d", "data": {"text": "a"}, "overlap": 1e400}',
        '{"external_id": "d", "data": {"text": "a"}, "reserved_for": ["' + "w" * 100_000 + '"]}',
    ],
)
def test_hostile_rows_are_refused_rows_and_not_our_fault(market: Market, raw: str) -> None:
    reply = bring(market, raw)

    assert (reply.status, reply.code) == (422, "invalid-rows")
    assert Task.objects.filter(batch=market.draft).count() == 2


@pytest.mark.parametrize(
    "raw",
    [
        '{"external_id": "\\ud800", "data": {"text": "a"}}',
        '{"external_id": "d", "data": {"text": "a"}, "reserved_for": ["\\ud800"]}',
        '{"external_id": "d", "data": {"text": "a"}, "reserved_for": ["w_\\u0000"]}',
        '{"external_id": "d", "data": {"text": "a"}, "\\ud800": 1}',
    ],
)
def test_rows_with_text_that_cannot_be_stored_are_refused_rows(market: Market, raw: str) -> None:
    reply = bring(market, raw)

    assert (reply.status, reply.code) == (422, "invalid-rows")


def test_an_import_beyond_the_limit_is_refused(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    row = '{"external_id": "n", "data": {"text": "a"}}'
    monkeypatch.setattr(imports, "IMPORT_BYTES_MAX", len(row) - 1)
    monkeypatch.setattr(imports, "PART_BYTES", 16)
    assert bring(market, row).status == 422
    assert Task.objects.filter(batch=market.draft).count() == 2

    monkeypatch.setattr(imports, "IMPORT_BYTES_MAX", len(row))
    bring(market, row).expect(201)
    assert Task.objects.filter(batch=market.draft).count() == 3


def test_an_import_is_repeated_without_doing_it_twice(market: Market) -> None:
    path = f"batches/{market.draft.public_id}/imports"
    raw = b'{"external_id": "n", "data": {"text": "a"}}'
    sent = {"raw": raw, "content_type": "application/x-ndjson", "key": "once"}
    first, second = market["owner"].post(path, **sent), market["owner"].post(path, **sent)

    assert (first.status, second.status, first.body) == (201, 201, second.body)
    assert second.headers["Idempotent-Replay"] == "true"
    assert market["owner"].post(path, **{**sent, "raw": raw + b"\n"}).code == "idempotency-key-reused"
    assert Task.objects.filter(batch=market.draft).count() == 3


# --- the idempotency key -----------------------------------------------------------------------------------------


def test_every_write_needs_a_key_of_printable_ascii(market: Market) -> None:
    for path, (who, body) in fitting(market).items():
        assert market[who].post(path, body, key=None).code == "idempotency-key-missing", path
    assert market["owner"].delete(f"keys/{uuid4()}", key=None).code == "idempotency-key-missing"
    assert bring(market, "{}").status == 422
    for key in ("   ", "k" * 201, "é", "a\tb", "\x7f"):
        reply = market["owner"].post("requesters", {"name": "R"}, key=key)
        assert reply.code in ("idempotency-key-missing", "idempotency-key-malformed"), key
    assert market["owner"].post("requesters", {"name": "R"}, key="k" * 200).status == 201


def test_a_repeat_gets_the_same_bytes_and_does_nothing(market: Market) -> None:
    count = len(market["owner"].all("requesters"))
    first = market["owner"].post("requesters", {"name": "R"}, key="a")
    second = market["owner"].post("requesters", {"name": "R"}, key="a")

    assert (first.status, second.status, first.body) == (201, 201, second.body)
    assert "Idempotent-Replay" not in first.headers
    assert second.headers["Idempotent-Replay"] == "true"
    own = {"Idempotent-Replay", "X-Request-Id"}
    assert all(reply.headers["X-Request-Id"] for reply in (first, second))
    same, again = ({n: v for n, v in reply.headers.items() if n not in own} for reply in (first, second))
    assert again == same
    assert len(market["owner"].all("requesters")) == count + 1


def test_a_key_used_for_something_else_is_refused(market: Market) -> None:
    market["owner"].post("requesters", {"name": "R"}, key="a").expect(201)

    for path, body in (("requesters", {"name": "S"}), (f"batches/{market.batch.public_id}/pause", {})):
        reply = market["owner"].post(path, body, key="a")
        assert (reply.status, reply.code) == (422, "idempotency-key-reused")
    # Keys are a person's own: another may use the same.
    assert market["other requester"].post("requesters", {"name": "R"}, key="a").status == 201


def test_a_refusal_is_not_kept_so_that_it_can_be_tried_again(market: Market) -> None:
    at = f"batches/{market.batch.public_id}"
    refused = market["owner"].post(f"{at}/results", {}, key="try")
    assert refused.code == "no-answers"
    assert not Idempotency.objects.filter(key="try").exists()

    lease = market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"][0]
    answer = {"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}
    market["worker"].post("worker/submissions", {"answers": [answer]}).expect(200)
    market["owner"].post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)
    market["owner"].post(f"{at}/results", {}, key="try").expect(201)


def test_a_lost_lease_is_an_outcome_and_is_kept(market: Market) -> None:
    lease = market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"][0]
    page = {"answers": [{"assignment": lease["id"], "token": str(uuid4()), "values": {"label": "dog"}}]}
    first, second = (market["worker"].post("worker/submissions", page, key="lost") for _ in range(2))

    assert (first.status, first.code, first.body) == (409, "lease-lost", second.body)
    assert second.headers["Idempotent-Replay"] == "true"
    assert market["worker"].get("worker/assignments").json["results"][0]["draft"] == {"label": "dog"}


def test_a_secret_is_repeated_and_lies_encrypted_in_the_table(market: Market) -> None:
    body = {"accounts": [{"email": "secret@people.example"}]}
    first, second = (market["staff"].post("invitations", body, key="s") for _ in range(2))

    assert first.body == second.body
    code = first.expect(201)["invitations"][0]["code"]
    assert code.encode() not in bytes(Idempotency.objects.get(key="s").body)


def test_twenty_of_one_request_at_once_are_one(committed: str, together: Together) -> None:
    market = make_market()
    lease = market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"][0]
    page = {"answers": [{"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}]}
    token = market["worker"].token

    replies: list[Reply] = together(
        [lambda: Caller("worker", token).post("worker/submissions", page, key="same") for _ in range(20)]
    )

    assert [reply.status for reply in replies] == [200] * 20
    assert len({reply.body for reply in replies}) == 1
    assert sum("Idempotent-Replay" not in reply.headers for reply in replies) == 1
    assert json.loads(replies[0].body)["outcomes"][0]["outcome"] == "submitted"
    (euro,) = market["worker"].get("worker/earnings").expect(200)["currencies"]
    assert euro["submitted_micros"] == 20_000


def test_ten_deposits_of_one_reference_at_once_are_one(committed: str, together: Together) -> None:
    market = make_market()
    body = {
        "requester": str(market.requester.public_id),
        "amount_micros": 7,
        "currency": "EUR",
        "reference": "one statement",
    }
    before = market["owner"].get(f"requesters/{market.requester.public_id}").expect(200)["balances"][0]["funds_micros"]
    token = market["staff"].token

    replies: list[Reply] = together([lambda: Caller("staff", token).post("deposits", body) for _ in range(10)])

    assert [reply.status for reply in replies] == [201] * 10
    after = market["owner"].get(f"requesters/{market.requester.public_id}").expect(200)["balances"][0]["funds_micros"]
    assert after == before + 7
