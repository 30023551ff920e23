"""One batch from the sign-up of its requester to the last payment, over HTTP alone, on a database with real commits.

Only what has no address is called directly: the console's key for staff, and the sweeps that run in the background.
The sequences of the database begin far up, so that an internal id would be seen in any answer.
"""

import csv
import io
import json
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from psycopg import sql

from marketplace.batches.tasks import fold_progress
from marketplace.results.tasks import aggregate_settled
from tests.acts import broken
from tests.api.callers import Caller, Reply
from tests.api.described import findings
from tests.api_client import mailed_code
from tests.factories import INTERFACE
from workers.assignments.tasks import finish_batches, settle_due
from workers.gold.tasks import score_due

PASSWORD = "a long enough sentence"
INTERNAL = re.compile(rb"98765\d{4}")
PRICE, FEE = 20_000, 2_000


@dataclass
class Story:
    """Everybody in it, and all that was said."""

    said: list[Reply] = field(default_factory=list)
    emails: dict[str, str] = field(default_factory=dict)

    def sign_up(self, who: str, *scopes: str) -> Caller:
        """An account of one's own, and a key made with its password."""
        email = self.emails[who] = f"{who}@people.example"
        stranger = Caller("stranger", said=self.said)
        stranger.post("accounts", {"email": email}).expect(202)
        opens = {"code": mailed_code(email), "password": PASSWORD, "name": f"Name of {who}"}
        made = stranger.post("accounts/confirmations", opens).expect(201)
        assert (made["email"], made["name"]) == (email, f"Name of {who}")
        return self.with_key(who, *scopes)

    def with_key(self, who: str, *scopes: str) -> Caller:
        """A key made by HTTP Basic."""
        basic = b64encode(f"{self.emails[who]}:{PASSWORD}".encode()).decode()
        asker = Caller(who, said=self.said, Authorization=f"Basic {basic}")
        made = asker.post("keys", {"name": "script", "scopes": list(scopes)}).expect(201)
        return Caller(who, made["key"], said=self.said)


@pytest.fixture
def far_sequences(as_owner: psycopg.Connection[Any]) -> None:
    """Internal ids of nine digits that begin with 98765."""
    names = as_owner.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1").fetchall()
    for place, (name,) in enumerate(names):
        as_owner.execute(sql.SQL("SELECT setval({}, {})").format(name, 987_650_001 + 100 * place))


def work(caller: Caller, batch: str, label: Callable[[str], str], page: int = 4) -> list[str]:
    """Claim a page, then submit and claim the next until there is none; the texts that were answered, in order."""
    seen: list[str] = []
    leases = caller.post(f"worker/batches/{batch}/claim", {"count": page}).expect(201)["assignments"]
    while leases:
        seen += [lease["data"]["text"] for lease in leases]
        answers = [
            {
                "assignment": lease["id"],
                "token": lease["token"],
                "values": {"label": label(lease["data"]["text"])},
            }
            for lease in leases
        ]
        done = caller.post(
            "worker/submissions", {"answers": answers, "then_claim": {"batch": batch, "count": page}}
        ).expect(200)
        assert [outcome["outcome"] for outcome in done["outcomes"]] == ["submitted"] * len(leases)
        leases = done["claimed"]
    assert done["claim_problem"]["code"] == "nothing-to-claim"
    return seen


def money(requester: Caller, organisation: str) -> tuple[int, int]:
    """Free and held micro-units of the organisation."""
    (euro,) = requester.get(f"requesters/{organisation}").expect(200)["balances"]
    assert euro["currency"] == "EUR"
    return euro["funds_micros"], euro["held_micros"]


def earned(worker: Caller) -> tuple[int, int, int]:
    """Settled, due and undecided micro-units of the worker."""
    (euro,) = worker.get("worker/earnings").expect(200)["currencies"]
    assert euro["earned_micros"] == euro["settled_micros"] + euro["due_micros"]
    return euro["settled_micros"], euro["due_micros"], euro["submitted_micros"]


def test_a_batch_goes_from_import_to_export_and_every_micro_is_accounted_for(
    committed: str, migrator: Any, far_sequences: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.api.work.CHANCE", Random(7))
    story = Story()
    out = io.StringIO()
    call_command("staff_key", email="staff@touchstone.example", name="Staff", stdout=out)
    staff = Caller("staff", json.loads(out.getvalue())["key"], said=story.said)

    # Everybody comes in: the requester and two workers sign up, the third worker is invited.
    rosa = story.sign_up("rosa", "requester")
    ann, bea = story.sign_up("ann", "worker"), story.sign_up("bea", "worker")
    for worker in (ann, bea):
        worker.post("workers", {"country": "DE", "languages": ["de", "en-GB"]}).expect(201)
    story.emails["cem"] = "cem@people.example"
    (invitation,) = staff.post(
        "invitations", {"accounts": [{"email": story.emails["cem"], "name": "Name of cem", "worker": True}]}
    ).expect(201)["invitations"]
    joined = Caller("stranger", said=story.said).post(
        "invitations/accept", {"code": invitation["code"], "password": PASSWORD}
    )
    assert joined.expect(201)["worker"]
    cem = story.with_key("cem", "worker")
    assert cem.get("worker").expect(200)["id"] == joined.json["worker"]

    organisation = rosa.post("requesters", {"name": "Rosa's Pets"}).expect(201)["id"]
    assert rosa.get(f"requesters/{organisation}").expect(200)["balances"] == []
    deposit = {"requester": organisation, "amount_micros": 600_000, "currency": "EUR", "reference": "statement 1"}
    assert staff.post("deposits", deposit).expect(201)["funds_micros"] == 600_000

    # A project, its version, and a batch with tasks from a CSV and from JSONL.
    project = rosa.post(
        "projects", {"requester": organisation, "name": "Pets", "interface": INTERFACE, "instructions": "Look."}
    ).expect(201)
    terms = {
        "name": "First",
        "price_micros": PRICE,
        "overlap": 3,
        "aggregation": {"method": "majority"},
        # Above one half each key is gone through, however often work was met: the figures below are fixed.
        "gold": {"min_share": 0.2, "max_share": 0.2, "probation": 4, "probation_share": 0.51},
    }
    refused = rosa.post(f"projects/{project['id']}/batches", terms)
    assert (refused.status, refused.code) == (404, "not-found"), "no version is published yet"
    assert rosa.post(f"projects/{project['id']}/versions/1/publish").expect(200)["state"] == "published"
    batch = rosa.post(f"projects/{project['id']}/batches", terms).expect(201)
    assert (batch["state"], batch["price_micros"], batch["fee_micros"]) == ("draft", PRICE, FEE)
    at = f"batches/{batch['id']}"
    csv_rows = "external_id,data.text,overlap\r\n" + "".join(
        f"t{n},animal {n},{2 if n == 0 else ''}\r\n" for n in range(8)
    )
    first = rosa.post(f"{at}/imports", raw=csv_rows.encode(), content_type="text/csv").expect(201)
    assert (first["tasks"], first["gold"], first["places"]) == (8, 0, 23)
    name_of_ann = ann.post("worker/introductions", {"requester": organisation}).expect(201)["pseudonym"]
    json_rows = [
        *({"external_id": f"g{n}", "data": {"text": f"known {n}"}, "gold": {"label": "cat"}} for n in range(4)),
        {"external_id": "r0", "data": {"text": "for ann"}, "reserved_for": [name_of_ann], "overlap": 1},
    ]
    second = rosa.post(
        f"{at}/imports", raw="\n".join(map(json.dumps, json_rows)).encode(), content_type="application/x-ndjson"
    ).expect(201)
    assert {name: second[name] for name in ("tasks", "gold", "reserved", "places")} == {
        "tasks": 5, "gold": 4, "reserved": 1, "places": 13
    }  # fmt: skip

    # 36 places at 0.022 are held, and 5 % of them, rounded up, set aside; what is there does not suffice at first.
    estimate = rosa.get(f"{at}/estimate").expect(200)
    gold = estimate.pop("gold")
    assert (gold["places"], gold["planned_micros"]) == (0, gold["planned_places"] * (PRICE + FEE))
    assert 0 < gold["planned_places"] < 36
    assert estimate == {
        "tasks": 13, "gold_tasks": 4, "places": 36, "reward_micros": 720_000, "fee_micros": 72_000,
        "disputes_micros": 44_000, "topup_micros": 0,
        "total_micros": 836_000, "funds_micros": 600_000, "missing_micros": 236_000,
    }  # fmt: skip
    short = rosa.post(f"{at}/publish")
    assert (short.status, short.code, short.json["missing_micros"]) == (409, "not-enough-funds", 236_000)
    assert money(rosa, organisation) == (600_000, 0)
    deposit |= {"amount_micros": 400_000, "reference": "statement 2"}
    assert staff.post("deposits", deposit).expect(201)["funds_micros"] == 1_000_000
    assert rosa.post(f"{at}/publish").expect(200)["state"] == "published"
    assert money(rosa, organisation) == (164_000, 836_000)
    assert not broken()

    # Three people work: the first two agree, the third sees dogs. Ann alone is given what is kept for her.
    board = ann.get("worker/batches").expect(200)["results"]
    assert [(row["id"], row["eligible"]) for row in board] == [(batch["id"], True)]
    anns = work(ann, batch["id"], lambda text: "cat")
    beas = work(bea, batch["id"], lambda text: "cat")
    cems = work(cem, batch["id"], lambda text: "dog")
    plain = {f"animal {n}" for n in range(8)}
    assert "for ann" in anns
    assert "for ann" not in beas + cems
    # The first task has two places, so the third worker finds one task less.
    assert (plain <= set(anns), plain <= set(beas), plain - set(cems)) == (True, True, {"animal 0"})
    gold_seen = sum(text.startswith("known") for text in [*anns, *beas, *cems])
    submitted = len(anns) + len(beas) + len(cems)
    # 24 ordinary answers, and gold by a schedule whose chance is fixed above.
    assert (submitted, gold_seen) == (35, 11)
    assert earned(ann) == (0, 0, len(anns) * PRICE)
    assert money(rosa, organisation) == (164_000, 836_000), "work alone moves nothing"

    score_due()
    fold_progress()
    progress = rosa.get(f"{at}/progress").expect(200)
    assert (progress["submitted"], progress["escrow_micros"], progress["paid_micros"]) == (submitted, 792_000, 0)

    # The requester rejects one answer of the first task; its place opens and the third worker takes it.
    answers = rosa.all(f"{at}/answers?state=submitted", limit=7)
    assert len(answers) == submitted
    names = {answer["worker"] for answer in answers}
    assert len(names) == 3
    assert name_of_ann in names
    (wrong,) = [a for a in answers if a["task"] == "t0" and a["worker"] != name_of_ann]
    assert rosa.post(
        f"{at}/answers/reject", {"answers": [wrong["id"]], "reason": "wrong", "comment": "It barks."}
    ).expect(200) == {"rejected": 1, "waiting": 0, "review": None, "cause": None}
    assert work(cem, batch["id"], lambda text: "dog") == ["animal 0"]
    assert earned(bea) == (0, 0, (len(beas) - 1) * PRICE)
    named = [a["id"] for a in answers if a["id"] != wrong["id"]][:2]
    assert rosa.post(f"{at}/answers/accept", {"answers": named}).expect(200) == {"accepted": 2, "remaining": False}
    assert rosa.post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)["accepted"] == submitted - 2
    assert earned(ann) == (0, len(anns) * PRICE, 0), "accepted is due, and not paid yet"
    assert not broken()

    # Payment, the end of the batch, and what is left of its escrow.
    settle_due()
    assert earned(ann) == (len(anns) * PRICE, 0, 0)
    assert earned(bea) == ((len(beas) - 1) * PRICE, 0, 0)
    assert earned(cem) == ((len(cems) + 1) * PRICE, 0, 0)
    assert money(rosa, organisation) == (164_000, 836_000 - submitted * (PRICE + FEE))
    run = rosa.post(f"{at}/results", {}).expect(201)
    assert (run["method"], run["tasks"], run["final"]) == (
        "majority",
        9 + len(set(anns + beas + cems) - plain) - 1,
        False,
    )
    for _closes_gives_back_settles in range(3):
        finish_batches()
    aggregate_settled()
    assert rosa.get(at).expect(200)["state"] == "settled"
    assert money(rosa, organisation) == (956_000 - submitted * (PRICE + FEE), 44_000), "a rejection can be contested"
    fold_progress()
    progress = rosa.get(f"{at}/progress").expect(200)
    assert progress.pop("gold")["places"] == gold_seen
    assert progress == {
        "state": "settled", "tasks": 13, "places": 36, "leased": 0, "submitted": 0, "quarantined": 0,
        "accepted": submitted, "rejected": 1, "returned": 0, "expired": 0, "escrow_micros": 0,
        "disputes_micros": 44_000, "topup_reserve_micros": 0, "bonus_micros": 0, "topup_micros": 0,
        "paid_micros": submitted * PRICE,
        "fees_micros": submitted * FEE, "refunded_micros": 792_000 - submitted * (PRICE + FEE),
    }  # fmt: skip
    assert [
        (t["kind"], t["delta_micros"], t["balance_after_micros"])
        for t in rosa.all(f"requesters/{organisation}/transfers")
    ] == [
        ("release", 792_000 - submitted * 22_000, 956_000 - submitted * 22_000),
        ("reserve", -44_000, 164_000),
        ("hold", -792_000, 208_000),
        ("deposit", 400_000, 1_000_000),
        ("deposit", 600_000, 600_000),
    ]

    # What the requester takes home: two runs of results and the paid answers, the rejected one withheld.
    assert [run["final"] for run in rosa.all(f"{at}/results")] == [False, True]
    results = [json.loads(line) for line in rosa.get(f"{at}/exports/results.jsonl").body.splitlines()]
    by_task = {row["external_id"]: row for row in results}
    assert {by_task[f"t{n}"]["value"] for n in range(1, 8)} == {"cat"}
    assert by_task["t0"]["answers"] == 2
    assert {row["gold"] for row in results if row["external_id"].startswith("g")} == {True}
    as_csv = list(csv.DictReader(io.StringIO(rosa.get(f"{at}/exports/results.csv").body.decode())))
    assert [row["external_id"] for row in as_csv] == [row["external_id"] for row in results]
    paid = [json.loads(line) for line in rosa.get(f"{at}/exports/answers.jsonl").body.splitlines()]
    assert len(paid) == submitted
    assert {row["worker"] for row in paid} == names
    assert sum(row["external_id"] == "t0" for row in paid) == 2
    assert len(rosa.get(f"{at}/exports/answers.csv").body.splitlines()) == submitted + 1

    check = staff.get("check").expect(200)
    assert (check["ledger_sum_micros"], check["violations"]) == (0, 0)
    assert {promise["name"] for promise in check["promises"]} >= {"inv_r05", "inv_r06", "inv_r12"}

    # Nothing said more than its description, and nobody learned who the others are.
    assert [finding for reply in story.said for finding in findings(reply)] == []
    assert [f"{r.method} {r.path}" for r in story.said if INTERNAL.search(r.body)] == []
    people = {"ann": ann, "bea": bea, "cem": cem}
    secrets = {
        who: [story.emails[who], f"Name of {who}", caller.get("worker").json["id"]] for who, caller in people.items()
    }
    for reply in story.said:
        if reply.who not in ("stranger", "staff"):
            told = [
                who
                for who, words in secrets.items()
                if who != reply.who and any(w.encode() in reply.body for w in words)
            ]
            assert not told, f"{reply.method} {reply.path} tells {reply.who} of {told}"
