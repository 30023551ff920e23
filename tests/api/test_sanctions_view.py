"""Sanctions over HTTP: what staff, a requester and the worker himself may do and get to see."""

from datetime import timedelta
from typing import Any

import pytest

from marketplace.accounts.commands.sanctions import impose
from marketplace.accounts.evidence import told
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.callers import caller_for
from tests.api.market import Market, make_market
from workers.profiles.commands import pseudonym_for

ASK: dict[str, Any] = {
    "reason": "low_accuracy",
    "words": "Many of your answers were wrong.",
    "evidence": "Ten of twenty were.",
    "expires_in_s": 3_600,
}


def own(market: Market, **more: Any) -> dict[str, Any]:
    return {**ASK, "worker": market.known, "scope": "requester", "measure": "limit", **more}


def everywhere(market: Market, **more: Any) -> dict[str, Any]:
    return {**ASK, "worker": str(market.worker.public_id), "scope": "platform", "measure": "ban", **more}


def test_a_requester_limits_a_worker_in_his_own_work_who_reads_why_and_goes_on_elsewhere(market: Market) -> None:
    owner, worker, at = market["owner"], market["worker"], f"requesters/{market.requester.public_id}/sanctions"
    made = owner.post(at, own(market)).expect(201)
    assert (made["worker"], made["author"], made["scope"], made["place"]) == (
        market.known,
        "requester",
        "requester",
        str(market.requester.public_id),
    )
    refused = worker.post(f"worker/batches/{market.batch.public_id}/claim")
    assert (refused.status, refused.code) == (403, "sanctioned")
    assert (refused.json["detail"], refused.json["sanction"]) == (ASK["words"], made["id"])
    assert refused.json["expires_at"] and refused.json["appeal_until"]
    worker.post(f"worker/batches/{make.make_batch().public_id}/claim").expect(201)
    [_, mine] = worker.all("worker/sanctions")
    assert (mine["id"], mine["words"], mine["evidence"]) == (made["id"], ASK["words"], {"note": ASK["evidence"]})
    assert (mine["in_force"], mine["can_be_appealed"], mine["author"]) == (True, True, "person")
    assert mine["expires_at"] == made["expires_at"]
    assert [one["id"] for one in market["viewer"].all(at)] == [str(market.sanction.public_id), made["id"]]
    lifted = owner.post(f"{at}/{made['id']}/lift", {"reason": "my mistake"}).expect(200)
    assert lifted["lifted_at"] is not None
    assert owner.post(f"{at}/{made['id']}/lift", {"reason": "again"}).expect(200) == lifted
    [_, mine] = worker.all("worker/sanctions")
    assert (mine["in_force"], mine["can_be_appealed"], mine["lift_reason"]) == (False, False, "my mistake")
    worker.post(f"worker/batches/{market.batch.public_id}/claim").expect(201)


@pytest.mark.parametrize("scope", ["project", "batch"])
def test_a_requester_limits_within_a_project_or_batch_of_his_own_only(market: Market, scope: str) -> None:
    theirs, at = make_market(), f"requesters/{market.requester.public_id}/sanctions"
    mine = {"project": market.project, "batch": market.batch}[scope]
    foreign = {"project": theirs.project, "batch": theirs.batch}[scope]
    made = market["manager"].post(at, own(market, scope=scope, place=str(mine.public_id))).expect(201)
    assert made["place"] == str(mine.public_id)
    assert market["manager"].post(at, own(market, scope=scope, place=str(foreign.public_id))).status == 404
    assert market["manager"].post(at, own(market, scope=scope)).json["errors"][0]["field"] == "place"
    assert market["manager"].post(at, own(market, place=str(theirs.requester.public_id))).status == 404
    assert theirs["owner"].all(f"requesters/{theirs.requester.public_id}/sanctions") != []
    assert made["id"] not in [one["id"] for one in theirs["owner"].all(
        f"requesters/{theirs.requester.public_id}/sanctions"
    )]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"measure": "ban"}, "measure"),
        ({"measure": "extra_gold"}, "measure"),
        ({"scope": "platform"}, "scope"),
        ({"worker": "w_nobody"}, "worker"),
        ({"evidence": ""}, "evidence"),
        ({"words": ""}, "words"),
        ({"expires_in_s": 0}, "expires_in_s"),
        ({"expires_in_s": 400 * 86_400}, "expires_in_s"),
        ({"pace_s": 5}, "pace_s"),
        ({"measure": "slow_down"}, "pace_s"),
    ],
)
def test_what_a_requester_may_not_impose_is_refused_and_named(market: Market, more: dict[str, Any], field: str) -> None:
    reply = market["owner"].post(f"requesters/{market.requester.public_id}/sanctions", own(market, **more))
    assert (reply.status, [error["field"] for error in reply.json["errors"]]) == (422, [field])


def test_a_requester_sees_and_lifts_what_rules_made_and_only_sees_what_staff_made(market: Market) -> None:
    owner, at = market["owner"], f"requesters/{market.requester.public_id}/sanctions"
    evidence = {"fast_share": {"point": 0.4, "low": 0.2}, "tasks": [17], "verdicts": [{"value": 1}]}
    with one_transaction(principal="test"):
        by_rule = impose(
            user_id=market.worker.user_id, scope="batch", scope_id=market.batch.pk, measure="limit", firing_id=3,
            reason="low_accuracy", words="w", evidence=evidence, life=timedelta(hours=1),
        )  # fmt: skip
    by_staff = market["staff"].post(
        "sanctions", everywhere(market, measure="limit", scope="project", place=str(market.project.public_id))
    )
    by_staff.expect(201)
    market["staff"].post("sanctions", everywhere(market)).expect(201)  # the platform's is nobody else's business
    shown = {one["id"]: one for one in owner.all(at)}
    assert [one["author"] for one in shown.values()] == ["requester", "rule", "staff"]
    assert shown[str(by_rule.public_id)]["evidence"] == {"fast_share": {"point": 0.4, "low": 0.2}}
    assert owner.post(f"{at}/{by_rule.public_id}/lift", {"reason": "r"}).status == 200
    refused = owner.post(f"{at}/{by_staff.json['id']}/lift", {"reason": "r"})
    assert (refused.status, refused.code) == (403, "made-by-staff")
    staff_email = market["staff"].get(f"sanctions/{by_staff.json['id']}").json["made_by"]
    assert staff_email not in "".join(reply.body.decode() for reply in market.said if reply.who in ("owner", "worker"))


def test_staff_bans_and_the_banned_still_sees_his_money_and_his_sanctions_and_submits(market: Market) -> None:
    staff, worker = market["staff"], market["worker"]
    [lease] = worker.post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"]
    made = staff.post("sanctions", everywhere(market)).expect(201)
    assert (made["worker"], made["measure"], made["place"], made["evidence"]) == (
        str(market.worker.public_id),
        "ban",
        None,
        {"note": ASK["evidence"]},
    )
    answer = {"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}
    then = {"batch": str(market.batch.public_id), "count": 2}
    done = worker.post("worker/submissions", {"answers": [answer], "then_claim": then}).expect(200)
    assert [one["outcome"] for one in done["outcomes"]] == ["submitted"]
    assert (done["claim_problem"]["code"], done["claim_problem"]["facts"]["sanction"]) == ("sanctioned", made["id"])
    for path in (
        "worker",
        "worker/earnings",
        "worker/statement",
        "worker/payouts",
        "worker/sanctions",
        "worker/batches",
    ):
        worker.get(path).expect(200)
    assert [one["measure"] for one in worker.all("worker/sanctions")] == ["review", "ban"]
    in_force = staff.all(f"sanctions?worker={market.worker.public_id}&in_force=true")
    assert [one["id"] for one in in_force] == [str(market.sanction.public_id), made["id"]]
    assert staff.all(f"sanctions?worker={market.other_worker.public_id}") == []
    staff.post(f"sanctions/{made['id']}/lift", {"reason": "appeal won"}).expect(200)
    assert [one["id"] for one in staff.all("sanctions?in_force=true")] == [str(market.sanction.public_id)]
    assert staff.get(f"sanctions/{made['id']}").expect(200)["lift_reason"] == "appeal won"
    assert staff.get("sanctions?in_force=1").status == 422
    assert staff.get("sanctions?worker=nobody").status == 404


def test_a_ban_reaches_no_less_than_the_platform_and_a_scope_names_its_place(market: Market) -> None:
    staff = market["staff"]
    for more, field in (
        ({"scope": "batch", "place": str(market.batch.public_id)}, "measure"),
        ({"place": str(market.batch.public_id)}, "place"),
        ({"scope": "batch", "measure": "limit"}, "place"),
    ):
        reply = staff.post("sanctions", everywhere(market, **more))
        assert (reply.status, reply.json["errors"][0]["field"]) == (422, field)
    wrong = everywhere(market, scope="project", measure="limit", place=str(market.batch.public_id))
    assert staff.post("sanctions", wrong).status == 404


def test_the_board_says_why_a_batch_is_closed_to_him_and_until_when(market: Market) -> None:
    made = market["owner"].post(
        f"requesters/{market.requester.public_id}/sanctions",
        own(market, scope="batch", place=str(market.batch.public_id)),
    )
    elsewhere = make.make_batch(project=market.project)
    shown = {row["id"]: row for row in market["worker"].all("worker/batches")}
    closed = shown[str(market.batch.public_id)]
    assert closed["eligible"] is False
    assert closed["reason"].startswith(f"{ASK['words']} It is closed to you until {made.json['expires_at'][:10]}")
    assert market["worker"].get(f"worker/batches/{market.batch.public_id}").json["reason"] == closed["reason"]
    assert shown[str(elsewhere.public_id)]["eligible"] is True
    others = {row["id"]: row["eligible"] for row in market["other worker"].all("worker/batches")}
    assert others[str(market.batch.public_id)] is True


def test_who_is_slowed_down_is_told_when_to_come_back(market: Market) -> None:
    worker, claim = market["worker"], f"worker/batches/{market.batch.public_id}/claim"
    [lease] = worker.post(claim).expect(201)["assignments"]
    answer = {"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}
    worker.post("worker/submissions", {"answers": [answer]}).expect(200)
    market["owner"].post(
        f"requesters/{market.requester.public_id}/sanctions", own(market, measure="slow_down", pace_s=600)
    ).expect(201)
    refused = worker.post(claim)
    assert (refused.status, refused.code, refused.json["measure"]) == (409, "slowed-down", "slow_down")
    assert refused.json["retry_at"] > refused.json["appeal_until"][:4]
    assert {row["id"]: row["eligible"] for row in worker.all("worker/batches")}[str(market.batch.public_id)] is True


def test_a_linked_account_sees_the_sanctions_of_its_person(market: Market) -> None:
    from workers.profiles.models import LinkedAccount

    one, two = (account.worker for account in LinkedAccount.objects.filter(link=market.link).order_by("worker"))
    market["staff"].post("sanctions", everywhere(market, worker=str(one.public_id))).expect(201)
    for linked in (one, two):
        caller = caller_for(linked.user, "worker")
        assert [row["measure"] for row in caller.all("worker/sanctions")] == ["ban"]
        assert caller.post(f"worker/batches/{market.batch.public_id}/claim").code == "sanctioned"


def test_a_requester_limits_only_whom_he_knows(market: Market) -> None:
    theirs = make_market()
    with one_transaction(principal="test"):
        elsewhere = pseudonym_for(worker_id=market.worker.pk, requester_id=theirs.requester.pk)
    reply = market["owner"].post(f"requesters/{market.requester.public_id}/sanctions", own(market, worker=elsewhere))
    assert (reply.status, reply.code) == (422, "unknown-workers")


def test_evidence_tells_open_figures_and_nothing_of_check_questions_or_single_tasks() -> None:
    evidence = {
        "note": "n" * 3_000,
        "metrics": [
            {"metric": "fast_share", "point": 0.4, "task": 3},
            7,
            {"task": 1},
            {"metric": "gold_accuracy", "point": 0.4},
        ],
        "all": [{"metric": "decided", "above": 5, "bound": "high"}, {"metric": "agreement", "below": 0.5}],
        "gold_accuracy": {"point": 0.4},
        "agreement": 0.5,
        "tasks": [{"id": 3, "given": "cat", "value": 1}],
        "answers": 20,
        "verdicts": {"17": 1, "18": 0},
        "truth": "cat",
        "outcome_ids": [1, 2],
        "gold_answers": [1, 0, 1],
    }
    assert told(evidence) == {
        "note": "n" * 2_000,
        "metrics": [{"metric": "fast_share", "point": 0.4}],
        "all": [{"metric": "decided", "above": 5, "bound": "high"}],
        "answers": 20,
    }
    assert told({}) == {}
