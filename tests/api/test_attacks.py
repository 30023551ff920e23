"""Attempts to take what is not one's own, over HTTP: as a worker, as a requester, and with keys that opened once."""

import csv
import io
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from marketplace.accounts.models import ApiKey, Member, User
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken
from tests.api.callers import Caller, caller_for
from tests.api.market import Market, make_market
from tests.api_client import opened
from workers.assignments.models import Answer, Assignment
from workers.gold.commands import score_due
from workers.profiles.commands import pseudonym_for
from workers.profiles.models import Worker

Forward = Callable[[timedelta], None]
TEXT = {"data": [{"name": "text", "type": "text"}], "answer": [{"name": "said", "type": "text"}]}


def claim(caller: Caller, batch: Any, count: int = 1) -> list[dict[str, Any]]:
    return list(caller.post(f"worker/batches/{batch.public_id}/claim", {"count": count}).expect(201)["assignments"])


def filled(lease: dict[str, Any], label: str = "cat", **changes: Any) -> dict[str, Any]:
    return {"assignment": lease["id"], "token": lease["token"], "values": {"label": label}, **changes}


def submit(caller: Caller, *answers: dict[str, Any]) -> Any:
    return caller.post("worker/submissions", {"answers": list(answers)})


def score() -> None:
    with one_transaction(principal="test"):
        score_due(limit=1_000)


# --- as a worker -------------------------------------------------------------------------------------------------


def test_a_forged_token_submits_nothing_and_leaves_the_lease_as_it_is(market: Market) -> None:
    (lease,) = claim(market["worker"], market.batch)

    assert submit(market["worker"], filled(lease, token=str(uuid4()))).code == "lease-lost"
    assert Answer.objects.count() == 0
    assert submit(market["worker"], filled(lease)).expect(200)["outcomes"][0]["outcome"] == "submitted"


def test_anothers_lease_is_of_no_use_even_with_its_token(market: Market) -> None:
    (lease,) = claim(market["worker"], market.batch)
    thief = market["other worker"]

    assert submit(thief, filled(lease)).code == "not-found"
    assert thief.post(f"worker/assignments/{lease['id']}/return", {"token": lease["token"]}).code == "not-found"
    assert submit(market["worker"], filled(lease)).status == 200


def test_a_token_of_before_does_not_fit_the_lease_after(market: Market, clock: Forward) -> None:
    (lease,) = claim(market["worker"], market.batch)
    clock(timedelta(seconds=901))
    while (after := claim(market["worker"], market.batch)[0])["id"] != lease["id"]:
        submit(market["worker"], filled(after)).expect(200)
    before = Answer.objects.count()

    assert submit(market["worker"], filled(lease)).code == "lease-lost"
    assert Answer.objects.count() == before
    assert broken() == []


def test_one_assignment_is_not_answered_twice_on_a_page_nor_after(market: Market) -> None:
    (lease,) = claim(market["worker"], market.batch)

    twice = submit(market["worker"], filled(lease), filled(lease, "dog"))
    assert (twice.status, twice.code) == (422, "invalid-answer")
    submit(market["worker"], filled(lease)).expect(200)
    late = submit(market["worker"], filled(lease, "dog"))

    assert late.json["outcomes"][0]["outcome"] == "already_submitted"
    assert Answer.objects.get().values == {"label": "cat"}


@pytest.mark.parametrize("state", ["pause", "close", "cancel"])
def test_a_batch_that_is_not_open_gives_no_work(market: Market, state: str) -> None:
    market["owner"].post(f"batches/{market.batch.public_id}/{state}").expect(200)

    reply = market["worker"].post(f"worker/batches/{market.batch.public_id}/claim")

    assert (reply.status, reply.code) == (409, "batch-not-open")
    assert Assignment.objects.count() == 0


def test_a_draft_is_nothing_to_a_worker(market: Market) -> None:
    for method, path in (("POST", "worker/batches/{}/claim"), ("GET", "worker/batches/{}")):
        replies = [market["worker"].call(method, path.format(one), {}) for one in (market.draft.public_id, uuid4())]
        assert [reply.code for reply in replies] == ["not-found", "not-found"]
    assert str(market.draft.public_id) not in market["worker"].get("worker/batches").body.decode()


def test_what_is_kept_for_another_is_never_given(market: Market) -> None:
    with one_transaction(principal="test"):
        code = pseudonym_for(worker_id=market.worker.pk, requester_id=market.requester.pk)
    kept = [{"external_id": "kept", "data": {"text": "kept"}, "reserved_for": [code]}]
    make.add_rows(market.draft, kept)
    make.published(market.draft)

    others = claim(market["other worker"], market.draft, 10)
    own = claim(market["worker"], market.draft, 10)

    assert "kept" not in [lease["data"]["text"] for lease in others]
    assert "kept" in [lease["data"]["text"] for lease in own]


def test_nobody_works_for_his_own_organisation(market: Market) -> None:
    member = Member.objects.get(requester=market.requester, role="viewer").user
    Worker.objects.create(user=member)

    reply = caller_for(member, "worker").post(f"worker/batches/{market.batch.public_id}/claim")

    assert (reply.status, reply.code) == (403, "not-eligible")


@pytest.fixture
def judged(db: None) -> Market:
    """Two workers who were given gold; one answered all right, the other all wrong, and all of it is scored."""
    market = make_market()
    batch = make.make_batch(
        4, 12, project=market.project, gold_policy={"min_share": 1.0, "max_share": 1.0, "probation_share": 1.0}
    )
    for who, label in (("worker", "cat"), ("other worker", "dog")):
        leases = claim(market[who], batch, 10)
        assert all("known" in lease["data"]["text"] for lease in leases)
        submit(market[who], *(filled(lease, label) for lease in leases)).expect(200)
    score()
    return market


@pytest.mark.parametrize(
    "path",
    ["worker/reputation", "worker/reputation/changes", "worker/batches", "worker/earnings", "worker/assignments"],
)
def test_nothing_a_worker_may_read_tells_right_gold_from_wrong(judged: Market, path: str) -> None:
    right, wrong = judged["worker"].get(path), judged["other worker"].get(path)

    assert right.status == 200
    assert right.body == wrong.body
    assert right.plain_headers == wrong.plain_headers


def test_the_board_is_no_oracle_of_gold_either(judged: Market) -> None:
    make.make_batch(2, project=judged.project, audience={"score": {"min": 0.6}})

    assert judged["worker"].get("worker/batches").body == judged["other worker"].get("worker/batches").body


def test_gold_and_ordinary_tasks_differ_in_nothing_but_their_text(market: Market) -> None:
    batch = make.make_batch(30, 30, project=market.project, gold_policy={"probation_share": 0.5}, lease_cap=100)
    claimed = market["worker"].post(f"worker/batches/{batch.public_id}/claim", {"count": 20})
    leases = claimed.expect(201)["assignments"]
    gold = [lease for lease in leases if "known" in lease["data"]["text"]]
    plain = [lease for lease in leases if "known" not in lease["data"]["text"]]
    assert gold
    assert plain

    def shape(value: Any) -> Any:
        return {name: shape(one) for name, one in value.items()} if isinstance(value, dict) else type(value).__name__

    assert len({json.dumps(shape(lease)) for lease in leases}) == 1
    same = ("batch", "draft", "price_micros", "currency", "version")
    assert len({tuple(str(lease[name]) for name in same) for lease in leases}) == 1
    # Refusals speak of both alike: an answer that does not fit, and one that is wrong.
    for values in ({"label": "cow"}, {}, {"label": "dog"}):
        replies = [submit(market["worker"], filled(one, values=values)) for one in (gold[0], plain[0])]
        masked = [r.body.replace(one["id"].encode(), b"") for r, one in zip(replies, (gold[0], plain[0]), strict=True)]
        assert masked[0] == masked[1]


def test_leases_of_one_claim_end_at_one_moment(market: Market) -> None:
    assert len({lease["lease_until"] for lease in claim(market["worker"], market.batch, 5)}) == 1


# --- as a requester ----------------------------------------------------------------------------------------------


def test_what_is_decided_stays_decided(market: Market) -> None:
    submit(market["worker"], *(filled(lease) for lease in claim(market["worker"], market.batch, 2))).expect(200)
    at = f"batches/{market.batch.public_id}"
    first, second = (row["id"] for row in market["owner"].all(f"{at}/answers"))
    no = {"reason": "spam", "comment": "No."}
    market["owner"].post(f"{at}/answers/accept", {"answers": [first]}).expect(200)
    market["owner"].post(f"{at}/answers/reject", {"answers": [second], **no}).expect(200)

    late = market["owner"].post(f"{at}/answers/reject", {"answers": [first], **no})
    back = market["owner"].post(f"{at}/answers/accept", {"answers": [second]})

    assert (late.code, back.code) == ("answer-not-submitted", "answer-not-submitted")
    assert [row["state"] for row in market["owner"].all(f"{at}/answers")] == ["accepted", "rejected"]
    (euro,) = market["worker"].get("worker/earnings").expect(200)["currencies"]
    assert (euro["due_micros"], euro["submitted_micros"]) == (20_000, 0)
    assert broken() == []


def test_anothers_answers_are_decided_by_nobody_else(market: Market) -> None:
    theirs = make_market()
    submit(theirs["worker"], filled(claim(theirs["worker"], theirs.batch)[0])).expect(200)
    (answer,) = theirs["owner"].all(f"batches/{theirs.batch.public_id}/answers")
    at = f"batches/{market.batch.public_id}/answers"

    for path, more in (("accept", {}), ("reject", {"reason": "wrong", "comment": "No."})):
        foreign = market["owner"].post(f"{at}/{path}", {"answers": [answer["id"]], **more})
        none = market["owner"].post(f"{at}/{path}", {"answers": [(nobody := str(uuid4()))], **more})
        assert (foreign.status, none.status) == (409, 409)
        assert foreign.body.replace(answer["id"].encode(), b"") == none.body.replace(nobody.encode(), b"")
    (untouched,) = theirs["owner"].all(f"batches/{theirs.batch.public_id}/answers")
    assert untouched == answer


def test_two_requesters_cannot_join_what_they_know_of_a_worker(market: Market) -> None:
    theirs = make_market()
    worker = market["worker"]
    exports = []
    for whose in (market, theirs):
        submit(worker, *(filled(lease) for lease in claim(worker, whose.batch, 2))).expect(200)
        at = f"batches/{whose.batch.public_id}"
        whose["owner"].post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)
        rows = whose["owner"].all(f"{at}/answers")
        lines = whose["owner"].get(f"{at}/exports/answers.jsonl").body.splitlines()
        exports.append(({row["worker"] for row in rows} | {json.loads(line)["worker"] for line in lines}, rows))
    (mine, my_rows), (others, other_rows) = exports

    assert len(mine) == len(others) == 1
    assert not mine & others
    assert not {row["id"] for row in my_rows} & {row["id"] for row in other_rows}
    assert all(row["submitted_at"].endswith(":00Z") for row in my_rows + other_rows)
    told = b"".join(reply.body for reply in market.said + theirs.said if reply.who != "worker")
    for secret in (market.worker.user.email, str(market.worker.public_id), str(market.worker.user.public_id)):
        assert secret.encode() not in told
    foreign = {"external_id": "k", "data": {"text": "k"}, "reserved_for": [next(iter(others))]}
    refused = market["owner"].post(
        f"batches/{market.draft.public_id}/imports",
        raw=json.dumps(foreign).encode(),
        content_type="application/x-ndjson",
    )
    assert refused.json["errors"][0]["field"] == "reserved_for"


def test_a_rejected_answer_is_withheld_from_exports(market: Market) -> None:
    submit(market["worker"], *(filled(lease) for lease in claim(market["worker"], market.batch, 2))).expect(200)
    at = f"batches/{market.batch.public_id}"
    first, second = market["owner"].all(f"{at}/answers")
    assert market["owner"].get(f"{at}/exports/answers.jsonl").body == b"", "what is not paid is not given out"
    market["owner"].post(
        f"{at}/answers/reject", {"answers": [first["id"]], "reason": "wrong", "comment": "No."}
    ).expect(200)
    market["owner"].post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)

    (line,) = market["owner"].get(f"{at}/exports/answers.jsonl").body.splitlines()
    assert json.loads(line)["external_id"] == second["task"]


@pytest.mark.parametrize("said", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "＝1", "'quoted", " =1", "\t=1"])
def test_a_workers_words_never_run_in_the_requesters_spreadsheet(db: None, said: str) -> None:
    market = make_market()
    batch = make.make_batch(1, project=make.make_project(market.requester, TEXT))
    (lease,) = claim(market["worker"], batch)
    submit(market["worker"], filled(lease, values={"said": said})).expect(200)
    at = f"batches/{batch.public_id}"
    market["owner"].post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)
    market["owner"].post(f"{at}/results", {}).expect(201)

    kept = market["owner"].all(f"{at}/answers")[0]["values"]["said"]
    for path, column in (("answers", "said"), ("results", "value")):
        (row,) = csv.DictReader(io.StringIO(market["owner"].get(f"{at}/exports/{path}.csv").body.decode(), newline=""))
        assert row[column] == f"'{kept}"
        (line,) = market["owner"].get(f"{at}/exports/{path}.jsonl").body.splitlines()
        assert json.loads(line)[column] == kept


def test_a_viewer_changes_nothing(market: Market) -> None:
    at = f"batches/{market.batch.public_id}"
    submit(market["worker"], filled(claim(market["worker"], market.batch)[0])).expect(200)
    for path in (f"{at}/answers/accept", f"{at}/pause", f"{at}/close", f"{at}/cancel", f"{at}/publish"):
        body = {"all_submitted": True} if path.endswith("accept") else {}
        reply = market["viewer"].post(path, body)
        assert (reply.status, reply.code) == (403, "role-too-low"), path
    assert market["owner"].get(at).json["state"] == "published"
    assert market["owner"].get(f"{at}/progress").json["submitted"] == 1


# --- with keys ---------------------------------------------------------------------------------------------------


def test_a_key_ends_when_it_expires_when_it_is_revoked_and_with_its_account(market: Market, clock: Forward) -> None:
    user = make.make_user()
    revoked, kept = caller_for(user, "requester"), caller_for(user, "requester")
    own = {row["id"] for row in kept.all("keys")}
    first = str(ApiKey.objects.filter(user=user).order_by("created").first().public_id)
    assert first in own
    assert market["owner"].delete(f"keys/{first}").code == "not-found"
    kept.delete(f"keys/{first}").expect(204)
    assert (revoked.get("requesters").status, revoked.get("requesters").code) == (401, "key-refused")
    assert kept.get("requesters").status == 200

    closed = make.make_user()
    caller = caller_for(closed, "requester")
    User.objects.filter(pk=closed.pk).update(is_active=False)
    assert caller.get("requesters").code == "key-refused"

    clock(timedelta(days=91))
    late = kept.get("requesters")
    assert (late.status, late.code) == (401, "key-expired")
    assert late.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer", "Bearer ", "Bearer a b", "Bearer " + "x" * 10_000, "Bearer é", "Bearer '--", "Basic Og==", "Basic x",
        "Basic " + b64encode(b"a\x00b:c").decode(), "Token x", "Bearer ts_" + "0" * 64,
    ],
)  # fmt: skip
def test_what_is_no_key_opens_nothing(market: Market, header: str) -> None:
    stranger = Caller("stranger", Authorization=header)

    assert stranger.get("requesters").status == 401
    assert stranger.post("keys", {"name": "k", "scopes": ["requester"]}).status == 401


def test_a_password_opens_only_the_making_of_keys(market: Market) -> None:
    email = f"{uuid4()}@people.example"
    assert opened(email, "twelve apples").status_code == 201
    basic = Caller("basic", Authorization="Basic " + b64encode(f"{email}:twelve apples".encode()).decode())

    assert basic.get("requesters").status == 401
    assert basic.get("keys").status == 401
    refused = basic.post("keys", {"name": "k", "scopes": ["staff"]})
    assert (refused.status, refused.code) == (403, "scope-not-allowed")
    made = basic.post("keys", {"name": "k", "scopes": ["requester"]}, key="k").expect(201)
    assert basic.post("keys", {"name": "k", "scopes": ["requester"]}, key="k").json == made
    assert Caller("key", made["key"]).get("requesters").status == 200


def test_an_unknown_address_and_a_wrong_password_look_the_same_and_guessing_ends(market: Market) -> None:
    email = f"{uuid4()}@people.example"
    assert opened(email, "twelve apples").status_code == 201
    body = {"name": "k", "scopes": ["requester"]}

    def guess(address: str, password: str = "wrong") -> Any:
        return Caller("g", Authorization="Basic " + b64encode(f"{address}:{password}".encode()).decode()).post(
            "keys", body
        )

    known, unknown = guess(email), guess(f"{uuid4()}@people.example")
    assert (known.status, known.body) == (unknown.status, unknown.body)
    assert known.plain_headers == unknown.plain_headers
    assert [guess(email).status for _ in range(10)][-1] == 429
    right = guess(email, "twelve apples")
    assert right.status == 429
    assert int(right.headers["Retry-After"]) > 0


def test_one_persons_answer_is_not_replayed_to_another(market: Market) -> None:
    body = {"name": "Mine"}
    mine = market["owner"].post("requesters", body, key="shared").expect(201)
    others = market["other requester"].post("requesters", body, key="shared")

    assert others.expect(201)["id"] != mine["id"]
    assert "Idempotent-Replay" not in others.headers
    revoked = caller_for(make.make_user(), "worker")
    assert revoked.post("requesters", body, key="shared").code == "wrong-scope"
