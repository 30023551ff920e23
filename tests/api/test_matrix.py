"""Who may do what to whose (R28): every address × method × person × {own, foreign, nonexistent}, generated.

An entry of `ROUTES` says who is let in and what else is in the way; what must be answered follows from that. A route
without an entry fails, and so does an entry without a route.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from marketplace.accounts.commands import ask_to_sign_up
from marketplace.accounts.models import Member
from marketplace.api.worker_parts import PARTS
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import undone
from tests.api.callers import BASE, Reply, caller_for
from tests.api.market import ROLES, STAFF_ROLES, Market, ids_of, make_market, nobodys, two_ids
from tests.api.test_openapi import NEEDED, served
from tests.api_client import mailed_code
from tests.payouts import people

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ANYBODY = set(ROLES)
KEYS = ANYBODY - {"anonymous"}
WORKERS = {"worker", "other worker"}
VIEWERS = {"owner", "manager", "reviewer", "viewer"}
REVIEWERS = {"owner", "manager", "reviewer"}
MANAGERS = {"owner", "manager"}
REQUESTERS = VIEWERS | {"other requester"}
STAFF = {"staff", *STAFF_ROLES}
SUPERUSER = {"staff"}
SUPPORT, FINANCE, QUALITY = ({"staff", role} for role in STAFF_ROLES)
JUDGES = SUPPORT | QUALITY
Body = Callable[[Market], Any]


@dataclass(frozen=True)
class May:
    """One method of one address: whose kind of key it takes (`kind`), and who of them may do it to what is the first
    organisation's or worker's (`own`); another of the kind is told `stranger`, one below the role `role-too-low`."""

    kind: set[str]
    own: set[str]
    body: Body | None = None
    good: tuple[int, ...] = (200,)
    content_type: str = "application/json"
    # A batch on the workers' board is everybody's, and a draft is nobody's: there is no foreign one.
    foreign: bool = True
    # Who of those is answered otherwise than the others.
    but: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """An address and its methods; those not named are not served."""

    methods: dict[str, May] = field(default_factory=dict)


def read(own: set[str] = VIEWERS) -> May:
    return May(REQUESTERS, own)


def opening(market: Market) -> dict[str, str]:
    """What opens an account: the code that is mailed to somebody new."""
    email = f"{uuid4()}@a.example"
    with one_transaction(principal="test"):
        ask_to_sign_up(email=email)
    return {"code": mailed_code(email), "password": PASSWORD}


def place() -> dict[str, Any]:
    """A destination that nobody has."""
    return {"provider": "manual", "currency": "EUR", "details": {"name": "A", "account": str(uuid4())}}


def proof(market: Market) -> dict[str, str]:
    """The password and a code of either worker."""
    people.forget_codes()
    return {"password": people.PASSWORD, "code": people.code_of(market.worker.user)}


def step(own: set[str], body: Body = lambda market: {}, good: tuple[int, ...] = (200,)) -> May:
    return May(REQUESTERS, own, body, good)


def staff(own: set[str], body: Body | None = None, good: tuple[int, ...] = (200,), **more: Any) -> May:
    """For staff of these roles; others of the staff are told which they need. All organisations are alike to them:
    there is no foreign one."""
    return May(STAFF, own, body, good, foreign=False, **more)


PROJECT = {"name": "P", "interface": make.INTERFACE, "instructions": ""}
CONFIG = '<View><Text name="t" value="$text"/><Rating name="stars" toName="t"/></View>'
TERMS = {"name": "B", "price_micros": 1_000, "overlap": 1}
RULES = {"quality": {"preset": "fast"}, "note": "From today."}
NOBODYS = str(uuid4())
LEASE = ("assignment", "token")
PASSWORD = "twelve apples"
NOBODY = {"answers": [NOBODYS]}
PAYOUT_REPORT = {
    "provider": "manual",
    "since": "2026-01-01T00:00:00Z",
    "until": "2026-02-01T00:00:00Z",
    "csv": "key,reference,amount,currency,state\n",
}
SANCTION = {"reason": "haste", "words": "Slow down.", "evidence": "Two seconds each.", "expires_in_s": 60}
BANK_REPORT = b"reference,amount,currency,date\nR1,12.50,EUR,2026-10-01\n"
WEBHOOK = {"url": "https://hooks.example.org/in", "events": ["batch.settled"]}
STEPS = ("publish", "pause", "resume", "close", "cancel")
ROUTES: dict[str, Route] = {
    "accounts": Route({"POST": May(ANYBODY, ANYBODY, lambda m: {"email": f"{uuid4()}@a.example"}, (202,))}),
    "accounts/confirmations": Route({"POST": May(ANYBODY, ANYBODY, opening, (201,))}),
    "tickets": Route({"POST": May(WORKERS, WORKERS, lambda m: {"socket": "worker"}, (201,))}),
    # A key is made with a password, so that no key is let in here.
    "keys": Route({"GET": May(KEYS, KEYS), "POST": May(set(), set(), lambda m: {"name": "k", "scopes": ["worker"]})}),
    "keys/{key}": Route({"DELETE": May(KEYS, {"owner"}, None, (204,))}),
    "requesters": Route({"GET": read(REQUESTERS), "POST": step(REQUESTERS, lambda m: {"name": "R"}, (201,))}),
    "requesters/{requester}": Route({"GET": read()}),
    "requesters/{requester}/members": Route({"GET": read()}),
    "requesters/{requester}/members/{member}": Route(
        {
            "PATCH": step({"owner"}, lambda m: {"role": "reviewer"}),
            "DELETE": May(REQUESTERS, {"owner"}, None, (204,)),
        }
    ),
    "requesters/{requester}/member-invitations": Route(
        {
            "GET": read({"owner"}),
            "POST": step({"owner"}, lambda m: {"email": f"{uuid4()}@new.example", "role": "viewer"}, (201,)),
        }
    ),
    "requesters/{requester}/member-invitations/{invitation}": Route(
        {"DELETE": May(REQUESTERS, {"owner"}, None, (204,))}
    ),
    "member-invitations/read": Route({"POST": May(REQUESTERS, REQUESTERS, lambda m: {"code": "unknown"}, (404,))}),
    "member-invitations/accept": Route(
        {"POST": May(REQUESTERS, REQUESTERS, lambda m: {"code": "unknown"}, (404,))}
    ),
    "requesters/{requester}/overview": Route({"GET": read()}),
    "requesters/{requester}/snapshot": Route({"GET": read()}),
    "requesters/{requester}/stream": Route({"GET": read()}),
    "requesters/{requester}/presence": Route({"GET": read()}),
    "presence": Route({"GET": staff(STAFF)}),
    "requesters/{requester}/skills": Route(
        {"GET": read(), "POST": step(MANAGERS, lambda m: {"kind": "skill", "name": str(uuid4())}, (201,))}
    ),
    "requesters/{requester}/lists": Route(
        {"GET": read(), "POST": step(MANAGERS, lambda m: {"name": str(uuid4())}, (201,))}
    ),
    "skills/{skill}/grants": Route(
        {
            "GET": read(),
            "POST": step(MANAGERS, lambda m: {"worker": m.known, "value": 1, "evidence": "exam"}, (201,)),
        }
    ),
    "skills/{skill}/revoke": Route(
        {"POST": step(MANAGERS, lambda m: {"worker": m.known, "reason": "mistake"}, (409,))}
    ),
    "lists/{list}/members": Route({"GET": read(), "POST": step(MANAGERS, lambda m: {"add": [m.known]})}),
    "workers/links": Route(
        {
            "GET": staff(JUDGES),
            "POST": staff(JUDGES, lambda m: {"workers": [*map(str, two_ids())], "reason": "same"}, (201,)),
        }
    ),
    "workers/links/{link}/end": Route(
        {"POST": staff(JUDGES, lambda m: {"reason": "mistake"})}
    ),
    "sanctions": Route(
        {
            "GET": staff(JUDGES),
            "POST": staff(
                JUDGES,
                lambda m: {
                    **SANCTION, "worker": str(m.other_worker.public_id), "scope": "platform", "measure": "review",
                },
                (201,),
            ),
        }
    ),
    "sanctions/{sanction}": Route({"GET": staff(JUDGES)}),
    "sanctions/{sanction}/lift": Route(
        {"POST": staff(JUDGES, lambda m: {"reason": "mistake"})}
    ),
    "requesters/{requester}/sanctions": Route(
        {
            "GET": read(),
            "POST": step(
                MANAGERS,
                lambda m: {**SANCTION, "worker": m.known, "scope": "requester", "measure": "slow_down", "pace_s": 1},
                (201,),
            ),
        }
    ),
    "requesters/{requester}/sanctions/{sanction}/lift": Route(
        {"POST": step(MANAGERS, lambda m: {"reason": "mistake"})}
    ),
    "requesters/{requester}/transfers": Route({"GET": read()}),
    "ledger/account": Route({"GET": staff(FINANCE)}),
    "ledger/transfers": Route({"GET": staff(FINANCE)}),
    "ledger/head": Route({"GET": May(KEYS, KEYS)}),
    "ledger/anchors": Route({"GET": May(KEYS, KEYS)}),
    "invitations": Route(
        {"POST": staff(SUPPORT, lambda m: {"accounts": [{"email": f"{uuid4()}@new.example"}]}, (201,))}
    ),
    "invitations/accept": Route(
        {"POST": May(ANYBODY, set(), lambda m: {"code": "unknown", "password": "twelve apples"}, (404,))}
    ),
    "requesters/{requester}/statement": Route({"GET": read()}),
    "requesters/{requester}/statement/lines": Route({"GET": read()}),
    "requesters/{requester}/statement.csv": Route({"GET": read()}),
    "requesters/{requester}/holds": Route({"GET": read()}),
    "requesters/{requester}/spending": Route({"GET": read()}),
    "requesters/{requester}/spending.csv": Route({"GET": read()}),
    "requesters/{requester}/deposits": Route({"GET": read()}),
    "requesters/{requester}/pay-in": Route({"GET": read()}),
    "requesters/{requester}/billing-details": Route({"GET": read(), "PUT": step(MANAGERS, lambda m: {"name": "A"})}),
    "requesters/{requester}/invoices": Route(
        {"GET": read(), "POST": step(MANAGERS, lambda m: {"month": "2026-01"}, (409,))}
    ),
    "invoices/{invoice}": Route({"GET": read()}),
    "invoices/{invoice}/pdf": Route({"GET": read()}),
    "invoices/{invoice}/credit-note": Route(
        {"POST": staff(FINANCE, lambda m: {"reason": "wrong name"}, (201,))}
    ),
    "liabilities": Route({"GET": staff(FINANCE)}),
    "liabilities.csv": Route({"GET": staff(FINANCE)}),
    "deposit-reports": Route(
        {
            "GET": staff(FINANCE),
            "POST": staff(FINANCE, lambda m: BANK_REPORT, (201,), content_type="text/csv"),
        }
    ),
    "deposits/{deposit}/reverse": Route(
        {"POST": staff(FINANCE, lambda m: {"reason": "typed twice"})}
    ),
    "deposits": Route(
        {
            "GET": staff(FINANCE),
            "POST": staff(
                FINANCE,
                lambda m: {
                    "requester": str(m.requester.public_id),
                    "amount_micros": 1,
                    "currency": "EUR",
                    "reference": str(uuid4()),
                },
                (201,),
            )
        }
    ),
    "configuration": Route({"GET": staff(STAFF)}),
    "configuration/history": Route({"GET": staff(STAFF)}),
    "dead-letters": Route({"GET": staff(SUPERUSER)}),
    "dead-letters/{letter}/retry": Route({"POST": staff(SUPERUSER, lambda m: {})}),
    "check": Route({"GET": staff(STAFF)}),
    # Nobody has checked when it is asked first; whoever checks keeps what was found.
    "check/last": Route({"GET": staff(FINANCE, None, (200, 404)), "POST": staff(FINANCE, lambda m: {}, (201,))}),
    "audit-log": Route({"GET": staff(FINANCE)}),
    "audit-log/head": Route({"GET": May(KEYS, KEYS)}),
    "audit-log/anchors": Route({"GET": May(KEYS, KEYS)}),
    "audit-log/check": Route({"GET": staff(STAFF)}),
    "staff": Route(
        {
            "GET": staff(SUPERUSER),
            "POST": staff(SUPERUSER, lambda m: {"email": make.make_user().email, "role": "quality"}, (201,)),
        }
    ),
    "staff/{user}/revoke": Route(
        {"POST": staff(SUPERUSER, lambda m: {"role": "support"})}
    ),
    "market-health": Route({"GET": staff(STAFF)}),
    "market-quality": Route({"GET": staff(JUDGES)}),
    "market-quality/days.csv": Route({"GET": staff(JUDGES)}),
    "firings": Route({"GET": staff(JUDGES)}),
    "people": Route({"GET": staff(STAFF)}),
    "workers/{worker}": Route({"GET": staff(STAFF)}),
    **{
        f"workers/{{worker}}/{name}": Route({"GET": staff({"staff", *map(str, part.roles)})})
        for name, part in PARTS.items()
    },
    "requesters/{requester}/file": Route({"GET": staff(STAFF)}),
    "payouts": Route({"GET": staff(FINANCE)}),
    "payouts/in-flight": Route({"GET": staff(FINANCE)}),
    # The signature is all that counts there, and the provider that is named here has none to give.
    "payouts/notices/{provider}": Route({"POST": May(ANYBODY, ANYBODY, lambda m: b"{}", (404,), foreign=False)}),
    "payouts/{payout}/approve": Route({"POST": staff(FINANCE, lambda m: {})}),
    "payouts/{payout}/refuse": Route(
        {"POST": staff(FINANCE, lambda m: {"reason": "odd"})}
    ),
    "payout-runs": Route(
        {
            "GET": staff(FINANCE),
            "POST": staff(FINANCE, lambda m: {"provider": "manual", "currency": "USD"}, (409,)),
        }
    ),
    "payout-runs/{run}": Route({"GET": staff(FINANCE)}),
    "payout-runs/{run}/payouts": Route({"GET": staff(FINANCE)}),
    # Whoever made a run does not release it, and before that there is no file.
    "payout-runs/{run}/release": Route({"POST": staff(FINANCE, lambda m: {}, but={"staff": (403,)})}),
    "payout-runs/{run}/file": Route({"GET": staff(FINANCE, None, (409,))}),
    "payout-runs/{run}/outcomes": Route(
        {"POST": staff(FINANCE, lambda m: {"outcome": "failed", "reason": "odd"})}
    ),
    "payout-reports": Route({"GET": staff(FINANCE), "POST": staff(FINANCE, lambda m: PAYOUT_REPORT, (201,))}),
    "destination-attempts": Route({"GET": staff(FINANCE)}),
    "projects": Route(
        {
            "GET": read(REQUESTERS),
            "POST": step(MANAGERS, lambda m: {**PROJECT, "requester": str(m.requester.public_id)}, (201,)),
        }
    ),
    "label-studio/interface": Route({"POST": step(REQUESTERS, lambda m: {"config": CONFIG})}),
    "starters": Route({"GET": read(REQUESTERS)}),
    "interfaces/check": Route({"POST": step(REQUESTERS, lambda m: {"interface": make.INTERFACE})}),
    "instructions/preview": Route({"POST": step(REQUESTERS, lambda m: {"instructions": "# A"})}),
    "projects/{project}": Route({"GET": read(), "PATCH": step(MANAGERS, lambda m: {"name": "N"})}),
    "projects/{project}/versions": Route(
        {"GET": read(), "POST": step(MANAGERS, lambda m: {"interface": make.INTERFACE}, (201,))}
    ),
    # The version there is published: who may change drafts is told that it is final.
    "projects/{project}/versions/{number}": Route(
        {"GET": read(), "PUT": step(MANAGERS, lambda m: {"interface": make.INTERFACE}, (409,))}
    ),
    "projects/{project}/versions/{number}/changes": Route({"GET": read()}),
    "projects/{project}/answers-by-version": Route({"GET": read()}),
    "projects/{project}/versions/{number}/publish": Route({"POST": step(MANAGERS)}),
    "projects/{project}/audience": Route({"POST": step(VIEWERS, lambda m: {"audience": {}})}),
    "projects/{project}/quality/dry-run": Route(
        {"POST": step(REVIEWERS, lambda m: {"quality": {"preset": "balanced"}})}
    ),
    "platform-rules": Route({"GET": staff(QUALITY), "POST": staff(QUALITY, lambda m: RULES, (201,))}),
    "projects/{project}/batches": Route({"POST": step(MANAGERS, lambda m: TERMS, (201,))}),
    "batches": Route({"GET": read(REQUESTERS)}),
    "batches/{batch}": Route({"GET": read()}),
    "batches/{batch}/imports": Route(
        {
            "GET": read(),
            "POST": May(REQUESTERS, MANAGERS, lambda m: b"{}", (409,), content_type="application/x-ndjson"),
        }
    ),
    # Terms change while a batch is a draft; this one runs.
    "batches/{batch}/terms": Route({"POST": step(MANAGERS, lambda m: {"overlap": 2}, (409,))}),
    "batches/{batch}/price": Route({"GET": read()}),
    "batches/{batch}/copy": Route({"POST": step(MANAGERS, lambda m: {}, (201,))}),
    "batches/{batch}/continue": Route({"GET": read(), "POST": step(MANAGERS, lambda m: {}, (201,))}),
    "batches/{batch}/pilot": Route({"POST": step(MANAGERS, lambda m: {"items": 1}, (409,))}),
    "batches/{batch}/pilot-report": Route({"GET": read()}),
    "batches/{batch}/items": Route({"GET": read(REVIEWERS)}),
    "batches/{batch}/items/remove": Route({"POST": step(MANAGERS, lambda m: {"tasks": ["t0"]}, (409,))}),
    "batches/{batch}/gold/keys": Route(
        {"POST": step(MANAGERS, lambda m: {"keys": [{"task": "t0", "key": {"label": "cat"}}]}, (409,))}
    ),
    "batches/{batch}/gold/remove": Route({"POST": step(MANAGERS, lambda m: {"tasks": ["g0"]}, (409,))}),
    "batches/{batch}/imports/preview": Route(
        {"POST": May(REQUESTERS, VIEWERS, lambda m: b"{}", content_type="application/x-ndjson")}
    ),
    "batches/{batch}/imports/{id}": Route({"GET": read()}),
    "batches/{batch}/imports/{id}/cancel": Route({"POST": step(MANAGERS, lambda m: {}, (409,))}),
    "batches/{batch}/priorities": Route(
        {"PUT": step(MANAGERS, lambda m: {"tasks": [{"external_id": "t0", "priority": 1}]}, (422,))}
    ),
    "batches/{batch}/audience": Route({"GET": read()}),
    # Of a batch that was published.
    "batches/{batch}/missing": Route({"GET": May(REQUESTERS, VIEWERS, None, (409,))}),
    "batches/{batch}/forecast": Route({"GET": read()}),
    "batches/{batch}/estimate": Route({"GET": read()}),
    "batches/{batch}/progress": Route({"GET": read()}),
    "batches/{batch}/file": Route({"GET": staff(JUDGES)}),
    "batches/{batch}/file/keys": Route({"GET": staff(JUDGES)}),
    "batches/{batch}/standing": Route({"GET": read()}),
    "batches/{batch}/figures": Route({"GET": read()}),
    "batches/{batch}/tasks": Route({"GET": read()}),
    "batches/{batch}/task": Route({"GET": read()}),
    "batches/{batch}/given-up": Route({"GET": read()}),
    "batches/{batch}/more-places": Route({"POST": step(MANAGERS, lambda m: {"tasks": ["t0"]})}),
    "batches/{batch}/holds": Route({"GET": read(REVIEWERS)}),
    "batches/{batch}/holds/release": Route(
        {"POST": step(REVIEWERS, lambda m: {"worker": m.known, "reason": "He is right."}, (409,))}
    ),
    "batches/{batch}/review-wishes": Route({"GET": read()}),
    "batches/{batch}/review-queue": Route({"GET": read(REVIEWERS)}),
    "batches/{batch}/adjudications": Route(
        {
            "GET": read(),
            "POST": step(
                REVIEWERS, lambda m: {"task": "t0", "values": {"label": "cat"}, "reason": "plain"}, (201,)
            ),
        }
    ),
    "batches/{batch}/sampling": Route({"GET": read(REVIEWERS)}),
    "batches/{batch}/rejection-reviews": Route({"GET": read()}),
    "batches/{batch}/gold": Route({"GET": read(REVIEWERS)}),
    "batches/{batch}/gold/confirm": Route({"POST": step(MANAGERS, lambda m: {"tasks": ["g0"]})}),
    "batches/{batch}/gold/retire": Route({"POST": step(MANAGERS, lambda m: {"tasks": ["g0"]})}),
    "batches/{batch}/commitment": Route({"GET": read()}),
    "batches/{batch}/commitment/openings": Route({"GET": read(REVIEWERS)}),
    "commitments/{batch}/openings": Route({"GET": staff(QUALITY)}),
    "batches/{batch}/firings": Route({"GET": read(REVIEWERS)}),
    "batches/{batch}/quarantine": Route({"GET": read()}),
    "batches/{batch}/quarantine/release": Route({"POST": step(MANAGERS, lambda m: {"tasks": ["t0"]})}),
    "batches/{batch}/answers": Route({"GET": read()}),
    "batches/{batch}/answers/accept": Route({"POST": step(REVIEWERS, lambda m: {"all_submitted": True})}),
    "batches/{batch}/answers/reject": Route(
        {"POST": step(REVIEWERS, lambda m: {**NOBODY, "reason": "wrong", "comment": "No."}, (409,))}
    ),
    "batches/{batch}/answers/return": Route(
        {"POST": step(REVIEWERS, lambda m: {**NOBODY, "reason": "wrong", "comment": "Again."}, (409,))}
    ),
    "rejection-reviews": Route({"GET": staff(JUDGES)}),
    "rejection-reviews/{review}": Route({"GET": staff(JUDGES)}),
    **{
        f"rejection-reviews/{{review}}/{name}": Route(
            {"POST": staff(JUDGES, lambda m: {"reason": "so"})}
        )
        for name in ("approve", "refuse")
    },
    # The address of a webhook may hold a secret of its receiver.
    "requesters/{requester}/webhooks": Route(
        {"GET": read(MANAGERS), "POST": step(MANAGERS, lambda m: WEBHOOK, (201,))}
    ),
    "webhooks/{webhook}": Route({"GET": read(MANAGERS), "PUT": step(MANAGERS, lambda m: WEBHOOK)}),
    "webhooks/{webhook}/pause": Route({"POST": step(MANAGERS)}),
    "webhooks/{webhook}/resume": Route({"POST": step(MANAGERS)}),
    "webhooks/{webhook}/remove": Route({"POST": step(MANAGERS)}),
    "webhooks/{webhook}/rotate": Route({"POST": step(MANAGERS, lambda m: {}, (201,))}),
    "webhooks/{webhook}/test": Route({"POST": step(MANAGERS, lambda m: {}, (409,))}),
    "webhooks/{webhook}/replay": Route(
        {"POST": step(MANAGERS, lambda m: {"since": "2026-01-01T00:00:00Z"}, (201,))}
    ),
    "webhooks/{webhook}/deliveries": Route({"GET": read(MANAGERS)}),
    "webhooks/{webhook}/deliveries/{delivery}": Route({"GET": read(MANAGERS)}),
    "webhooks/{webhook}/deliveries/{delivery}/replay": Route({"POST": step(MANAGERS, lambda m: {}, (409,))}),
    "appeals": Route({"GET": staff(JUDGES)}),
    # Whoever was named to judge may be anybody; to all others there is no such appeal.
    "appeals/{appeal}": Route({"GET": May(KEYS, JUDGES, foreign=False)}),
    "appeals/{appeal}/adjudicator": Route(
        {"POST": staff(JUDGES, lambda m: {"email": make.make_user().email, "reason": "expert"})}
    ),
    "appeals/{appeal}/decide": Route(
        {"POST": May(KEYS, JUDGES, lambda m: {"decision": "refuse", "reason": "so"}, foreign=False)}
    ),
    "requesters/{requester}/appeals": Route({"GET": read()}),
    "requesters/{requester}/appeals/{appeal}/statement": Route(
        {"POST": step(REVIEWERS, lambda m: {"words": "It barks."}, (201,))}
    ),
    "worker/rejections": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/appeals": Route(
        {
            "GET": May(WORKERS, WORKERS),
            "POST": May(WORKERS, WORKERS, lambda m: {"assignment": NOBODYS, "words": "No."}, (409,)),
        }
    ),
    "batches/{batch}/answers/uphold": Route(
        {"POST": staff(JUDGES, lambda m: {**NOBODY, "reason": "right"}, (409,))}
    ),
    "batches/{batch}/bonuses": Route(
        {
            "GET": read(),
            "POST": step(
                MANAGERS,
                lambda m: {"worker": "w_nobody", "amount_micros": 1, "reason": "good", "reference": "r"},
                (422,),
            ),
        }
    ),
    "batches/{batch}/agreement": Route({"GET": read()}),
    "batches/{batch}/quality-report": Route({"GET": read()}),
    "batches/{batch}/results/provenance": Route({"GET": read()}),
    "batches/{batch}/results/lineage": Route({"GET": read()}),
    "batches/{batch}/formats": Route({"GET": read()}),
    "projects/{project}/datasets": Route({"GET": read()}),
    "batches/{batch}/datasets/{number}/links": Route({"GET": read(), "POST": step(MANAGERS, good=(201,))}),
    "batches/{batch}/datasets/{number}/links/{share}/end": Route({"POST": step(MANAGERS)}),
    # Whoever has the link is let in; that is what it is for.
    "dataset-links/{token}/archive": Route({"GET": May(ANYBODY, ANYBODY, foreign=False)}),
    "batches/{batch}/results": Route({"GET": read(), "POST": step(REVIEWERS, good=(201,))}),
    "batches/{batch}/datasets": Route(
        {"GET": read(), "POST": step(REVIEWERS, lambda m: {"format": "jsonl"}, (202,))}
    ),
    **{
        f"batches/{{batch}}/datasets/{{number}}{what}": Route({"GET": read()})
        for what in ("", "/validation", "/manifest", "/archive")
    },
    **{
        f"batches/{{batch}}/exports/{what}": Route({"GET": read()})
        for what in ("answers.csv", "answers.jsonl", "results.csv", "results.jsonl")
    },
    **{f"batches/{{batch}}/{name}": Route({"POST": step(MANAGERS)}) for name in STEPS},
    "workers": Route({"POST": May(WORKERS, WORKERS, lambda m: {}, (409,))}),
    "worker": Route(
        {"GET": May(WORKERS, WORKERS), "PATCH": May(WORKERS, WORKERS, lambda m: {"country": "DE"})}
    ),
    "worker/snapshot": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/stream": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/firings": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/skills": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/sanctions": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/introductions": Route(
        {"POST": May(WORKERS, WORKERS, lambda m: {"requester": str(m.requester.public_id)}, (201,))}
    ),
    "worker/batches": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/batches/{batch}": Route({"GET": May(WORKERS, WORKERS, foreign=False)}),
    "worker/batches/{batch}/claim": Route({"POST": May(WORKERS, WORKERS, lambda m: {}, (201,), foreign=False)}),
    "worker/batches/{batch}/commitment": Route({"GET": May(WORKERS, WORKERS, foreign=False)}),
    "worker/batches/{batch}/commitment/openings": Route({"GET": May(WORKERS, WORKERS, foreign=False)}),
    "worker/assignments": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/leases": Route(
        {"PUT": May(WORKERS, WORKERS, lambda m: {"leases": [{"assignment": NOBODYS, "token": NOBODYS}]})}
    ),
    "worker/assignments/{assignment}/draft": Route(
        {"PUT": May(WORKERS, {"worker"}, lambda m: {"token": str(uuid4()), "values": {"label": "cat"}})}
    ),
    "worker/assignments/{assignment}/return": Route(
        {"POST": May(WORKERS, {"worker"}, lambda m: {"token": str(uuid4())}, (409,))}
    ),
    "worker/submissions": Route(
        {"POST": May(WORKERS, WORKERS, lambda m: {"answers": [dict.fromkeys(LEASE, NOBODYS)]}, (404,))}
    ),
    # Whoever asks here has a second factor already: he is let in, and told so.
    "worker/totp": Route({"POST": May(WORKERS, WORKERS, lambda m: {"password": PASSWORD}, (409,))}),
    "worker/totp/confirm": Route({"POST": May(WORKERS, WORKERS, lambda m: {"token": "t", "code": "1"}, (422,))}),
    "worker/payout-providers": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/destinations": Route(
        {"GET": May(WORKERS, WORKERS), "POST": May(WORKERS, WORKERS, lambda m: {**place(), **proof(m)}, (201,))}
    ),
    "worker/destinations/{destination}/remove": Route({"POST": May(WORKERS, {"worker"}, lambda m: proof(m))}),
    "worker/payouts": Route(
        {
            "GET": May(WORKERS, WORKERS),
            "POST": May(WORKERS, WORKERS, lambda m: {"destination": NOBODYS, "currency": "EUR"}, (404,)),
        }
    ),
    "worker/payouts/{payout}": Route({"GET": May(WORKERS, {"worker"})}),
    "worker/payouts/{payout}/cancel": Route({"POST": May(WORKERS, {"worker"}, lambda m: {})}),
    "worker/payout-thresholds": Route(
        {
            "GET": May(WORKERS, WORKERS),
            "POST": May(
                WORKERS, WORKERS, lambda m: {"destination": NOBODYS, "above_micros": 10**7, **proof(m)}, (404,)
            ),
        }
    ),
    "worker/earnings": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/earnings/days": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/earnings/batches": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/answers": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/answers/{answer}": Route({"GET": May(WORKERS, {"worker"})}),
    "worker/news": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/news/read": Route(
        {"GET": May(WORKERS, WORKERS), "POST": May(WORKERS, WORKERS, lambda m: {"epoch": NOBODYS, "seq": 0})}
    ),
    "worker/payout-terms": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/statement": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/statement/lines": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/statement.csv": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/reputation": Route({"GET": May(WORKERS, WORKERS)}),
    "worker/reputation/changes": Route({"GET": May(WORKERS, WORKERS)}),
}  # fmt: skip


def test_every_route_is_in_the_matrix_and_the_matrix_has_no_other() -> None:
    assert {f"{BASE}/{path}" for path in ROUTES} == served()


# The second id of an address tried below one's own first one: another's, and nobody's.
CROSSED = {"crossed": "foreign", "missing": "nonexistent"}
WHOSE = ("nonexistent", "foreign", *CROSSED, "own")
NO_NUMBER = 10**6


@pytest.fixture(scope="module")
def ids(module_market: Market) -> dict[str, dict[str, Any]]:
    """The ids of the first organisation and worker, of another's, and of nobody."""
    own, foreign = ids_of(module_market), ids_of(make_market())
    return {"own": own, "foreign": foreign, "nonexistent": nobodys(own)}


def names_in(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def named(ids: dict[str, dict[str, Any]], path: str, whose: str) -> str:
    """The address of something of somebody's, with what it cannot do without."""
    asked = NEEDED.get(f"{BASE}/{path}", "")
    if whose not in CROSSED:
        return path.format(**ids[whose]) + asked
    last = names_in(path)[-1]
    return path.format(**{**ids["own"], last: NO_NUMBER if last == "number" else ids[CROSSED[whose]][last]}) + asked


def crossable(path: str) -> bool:
    """Whether an address names something below something."""
    return len(names_in(path)) > 1


def kinds_of(path: str, may: May | None) -> list[str]:
    """Whose things an address can be asked for by a method; where it is not served, it looks at no id."""
    if may is None or "{" not in path:
        return ["own"]
    fits = {
        "nonexistent": True,
        "foreign": may.foreign,
        "crossed": crossable(path),
        "missing": crossable(path),
        "own": True,
    }
    return [whose for whose in WHOSE if fits[whose]]


def _user(market: Market, role: str) -> Any:
    return Member.objects.get(requester=market.requester, role=role).user


def ask(market: Market, who: str, method: str, path: str, may: May | None) -> Reply:
    body = may.body(market) if may and may.body else None
    if isinstance(body, bytes):
        return market[who].call(method, path, raw=body, content_type=may.content_type if may else "")
    return market[who].call(method, path, body)


def wanted(who: str, method: str, route: Route, whose: str) -> tuple[int, ...]:
    """The statuses that the matrix asks for."""
    may = route.methods.get(method)
    if may is None:
        # Some who have no business at the address are told so first; nobody is served.
        return (401, 403, 405)
    if who not in may.kind:
        return (401,) if who == "anonymous" or not may.kind else (403,)
    if may.kind == STAFF and who not in may.own:
        return (403,)
    if who in may.own and whose == "own":
        return may.but.get(who, may.good)
    inside = whose == "own" or whose in CROSSED
    return (403,) if inside and who in VIEWERS - may.own and may.kind == REQUESTERS else (404,)


@pytest.mark.parametrize("path", ROUTES)
def test_the_matrix(market: Market, ids: dict[str, dict[str, Any]], path: str) -> None:
    route = ROUTES[path]
    wrong: list[str] = []
    for method in METHODS:
        may = route.methods.get(method)
        for whose in kinds_of(path, may):
            for who in ROLES:
                with undone():
                    reply = ask(market, who, method, named(ids, path, whose), may)
                statuses = wanted(who, method, route, whose)
                if reply.status not in statuses:
                    wrong.append(f"{method} {whose} as {who}: {reply.status}, not {statuses}: {reply.body[:200]!r}")
    assert wrong == []


def test_the_size_of_the_matrix() -> None:
    cells = sum(
        len(kinds_of(path, route.methods.get(method))) * len(ROLES)
        for path, route in ROUTES.items()
        for method in METHODS
    )
    operations = sum(len(route.methods) for route in ROUTES.values())
    print(
        f"\nAPI: {len(ROUTES)} addresses ({operations} operations) × {len(ROLES)} persons × {len(METHODS)} methods × "
        f"up to {len(WHOSE)} kinds of things = {cells:,} cells"
    )
    assert cells > 14_000


@pytest.mark.parametrize("path", [path for path in ROUTES if "{" in path])
def test_a_foreign_id_gets_the_answer_of_one_that_does_not_exist(
    market: Market, ids: dict[str, dict[str, Any]], path: str
) -> None:
    different: list[str] = []
    for method, may in ROUTES[path].methods.items():
        kinds = kinds_of(path, may)
        for one, other in (("foreign", "nonexistent"), ("crossed", "missing")):
            for who in ROLES if one in kinds else ():
                replies = []
                for whose in (one, other):
                    with undone():
                        replies.append(ask(market, who, method, named(ids, path, whose), may))
                bodies = [reply.body.replace(reply.path.partition("?")[0].encode(), b"") for reply in replies]
                own = {"Content-Length", "X-Request-Id"}
                headers = [{n: v for n, v in reply.headers.items() if n not in own} for reply in replies]
                if (replies[0].status, bodies[0], headers[0]) != (replies[1].status, bodies[1], headers[1]):
                    different.append(f"{method} {one} as {who}: {bodies}")
    assert different == []


@pytest.mark.parametrize("path", ["requesters", "projects", "batches"])
def test_lists_hold_what_is_ones_own(market: Market, path: str) -> None:
    theirs = make_market()

    mine = {row["id"] for row in market["viewer"].all(path)}
    others = {row["id"] for row in theirs["viewer"].all(path)}

    assert mine
    assert others
    assert not mine & others
    assert market["other requester"].all(path) == [] or path == "requesters"


def test_a_filter_by_a_foreign_organisation_finds_what_one_by_none_finds(market: Market) -> None:
    theirs = make_market()
    found = [
        market["owner"].get(f"batches?requester={requester}") for requester in (theirs.requester.public_id, uuid4())
    ]

    assert [reply.status for reply in found] == [404, 404]
    assert found[0].body == found[1].body
    own = {row["id"] for row in market["owner"].all(f"batches?requester={market.requester.public_id}")}
    assert own >= {str(market.batch.public_id), str(market.draft.public_id)}
    assert not own & {row["id"] for row in theirs["owner"].all("batches")}


def test_ids_in_bodies_are_judged_like_ids_in_addresses(market: Market) -> None:
    theirs = make_market()
    lease = market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"][0]
    mine = {"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}
    foreign_lease = (
        theirs["worker"].post(f"worker/batches/{theirs.batch.public_id}/claim").expect(201)["assignments"][0]
    )

    def pair(who: str, path: str, body: Callable[[Any], Any], foreign: Any) -> None:
        first, second = str(foreign), str(uuid4())
        replies = [market[who].post(path, body(one)) for one in (first, second)]
        assert [reply.status for reply in replies] == [404, 404]
        assert replies[0].body.replace(first.encode(), b"") == replies[1].body.replace(second.encode(), b"")

    pair("owner", "projects", lambda one: {**PROJECT, "requester": one}, theirs.requester.public_id)
    pair(
        "worker",
        "worker/submissions",
        lambda one: {"answers": [mine, {**mine, "assignment": one}]},
        foreign_lease["id"],
    )
    pair(
        "worker",
        "worker/submissions",
        lambda one: {"answers": [mine], "then_claim": {"batch": one}},
        theirs.draft.public_id,
    )
    # Nothing of the pages above was stored.
    assert market["worker"].get("worker/assignments").json["results"][0]["id"] == lease["id"]


def test_a_key_opens_only_what_its_scopes_say(market: Market) -> None:
    user = _user(market, "owner")
    as_worker, as_both = caller_for(user, "worker"), caller_for(user, "worker", "requester")

    assert as_worker.get(f"batches/{market.batch.public_id}").code == "wrong-scope"
    assert as_both.get(f"batches/{market.batch.public_id}").status == 200
    assert as_both.get("worker/batches").code == "not-a-worker"
    assert as_both.get("check").code == "wrong-scope"


def test_unknown_addresses_and_methods_are_problems_too(market: Market) -> None:
    for who in ROLES:
        reply = market[who].get("batches/none")
        assert (reply.status, reply.code) == (404, "not-found")
        assert reply.headers["Content-Type"] == "application/problem+json"
