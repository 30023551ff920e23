"""What the console's pages about organisations and projects do, done by keys: with the same refusals."""

from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest

from marketplace.common.transactions import one_transaction
from marketplace.projects.commands import publish_version
from tests import factories as make
from tests.api.callers import caller_for
from tests.api.market import Market, make_colleague

pytestmark = pytest.mark.django_db


def test_an_owner_invites_and_the_invited_joins(market: Market) -> None:
    at, user = f"requesters/{market.requester.public_id}", make.make_user()
    made = market["owner"].post(f"{at}/member-invitations", {"email": user.email, "role": "manager"}).expect(201)

    assert set(made) == {"id", "email", "role", "expires_at", "code"}
    [listed] = market["owner"].all(f"{at}/member-invitations")
    assert listed == {name: made[name] for name in ("id", "email", "role", "expires_at")}
    comes = caller_for(user, "requester")
    other = market["other requester"].post("member-invitations/accept", {"code": made["code"]})
    assert (other.status, other.code) == (403, "invited-elsewhere")
    read = comes.post("member-invitations/read", {"code": made["code"]}).expect(200)
    assert (read["requester"], read["name"]) == (str(market.requester.public_id), "Acme Labels")
    assert (read["role"], read["yours"]) == ("manager", True)
    elsewhere = market["other requester"].post("member-invitations/read", {"code": made["code"]}).expect(200)
    assert elsewhere["yours"] is False
    joined = comes.post("member-invitations/accept", {"code": made["code"]}).expect(201)
    assert joined == {"id": str(market.requester.public_id), "name": "Acme Labels", "role": "manager"}
    assert market["owner"].all(f"{at}/member-invitations") == []
    assert comes.post("member-invitations/accept", {"code": made["code"]}).code == "invitation-invalid"
    assert comes.post("member-invitations/read", {"code": made["code"]}).code == "invitation-invalid"


def test_roles_change_members_go_and_the_last_owner_stays(market: Market) -> None:
    at, colleague = f"requesters/{market.requester.public_id}/members", make_colleague(market)
    owner = make.owner_of(market.requester).public_id

    changed = market["owner"].call("PATCH", f"{at}/{colleague}", {"role": "owner"}).expect(200)
    assert (changed["id"], changed["role"]) == (str(colleague), "owner")
    market["owner"].call("PATCH", f"{at}/{colleague}", {"role": "viewer"}).expect(200)
    assert market["owner"].delete(f"{at}/{owner}").code == "last-owner"
    assert market["owner"].call("PATCH", f"{at}/{owner}", {"role": "viewer"}).code == "last-owner"
    market["owner"].delete(f"{at}/{colleague}").expect(204)
    assert market["owner"].delete(f"{at}/{colleague}").status == 404
    assert {row["role"] for row in market["owner"].all(at)} == {"owner", "manager", "reviewer", "viewer"}


def test_everybody_may_leave_by_himself(market: Market) -> None:
    at = f"requesters/{market.requester.public_id}"
    [me] = [row["id"] for row in market["viewer"].all(f"{at}/members") if row["role"] == "viewer"]
    market["viewer"].delete(f"{at}/members/{me}").expect(204)
    assert market["viewer"].get(at).status == 404


def test_the_overview_counts_what_waits(market: Market) -> None:
    worker = make.make_worker()
    make.answer(worker, make.take(worker, market.batch, 2))

    seen = market["viewer"].get(f"requesters/{market.requester.public_id}/overview").expect(200)

    assert (seen["projects"], seen["answers_waiting"], seen["appeals_open"], seen["batches_over"]) == (1, 2, 0, 0)
    by_id = {row["id"]: row for row in seen["batches"]}
    running, draft = by_id[str(market.batch.public_id)], by_id[str(market.draft.public_id)]
    assert (running["state"], running["submitted"], running["accepted"]) == ("published", 2, 0)
    assert running["places"] == market["owner"].get(f"batches/{market.batch.public_id}/progress").json["places"]
    assert (draft["state"], draft["submitted"]) == ("draft", 0)
    assert seen["balances"][0]["currency"] == "EUR"


def test_a_starter_makes_a_project_as_it_is(market: Market) -> None:
    starters = market["owner"].get("starters").expect(200)["starters"]
    for starter in starters:
        body = {"requester": str(market.requester.public_id), "name": starter["title"],
                "interface": starter["interface"], "instructions": starter["instructions"]}  # fmt: skip
        made = market["owner"].post("projects", body).expect(201)
        version = market["owner"].get(f"projects/{made['id']}/versions/1").expect(200)
        assert version["interface"] == starter["interface"]
    assert len(starters) == 17


def test_an_interface_is_checked_and_nothing_is_kept(market: Market) -> None:
    good = market["viewer"].post("interfaces/check", {"interface": make.INTERFACE}).expect(200)
    assert good["interface"]["answer"][0]["required"] is True
    wrong = market["viewer"].post("interfaces/check", {"interface": {"answer": [{"name": "a", "type": "rat"}]}})
    assert (wrong.status, wrong.code) == (422, "invalid-interface")
    assert [error["field"] for error in wrong.json["errors"]] == ["answer[0].type"]
    assert len(market["owner"].all("projects")) == 1


def test_instructions_are_shown_as_workers_see_them(market: Market) -> None:
    body = {"instructions": "# A\n<script>alert(1)</script>"}
    html = market["viewer"].post("instructions/preview", body).expect(200)["html"]
    assert html == "<h3>A</h3>\n<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"


def test_drafts_are_written_and_compared_by_programs_too(market: Market) -> None:
    at = f"projects/{market.project.public_id}"
    draft = market["manager"].post(f"{at}/versions", {"interface": make.INTERFACE}).expect(201)
    path = f"{at}/versions/{draft['number']}"
    body = {"interface": make.INTERFACE, "instructions": "Look twice.", "made_from": draft["fingerprint"]}

    written = market["manager"].call("PUT", path, body).expect(200)

    assert (written["instructions"], written["state"]) == ("Look twice.", "draft")
    assert market["manager"].call("PUT", path, body).code == "version-changed"
    assert [row["number"] for row in market["viewer"].all(f"{at}/versions")] == [1, 2]
    changes = market["viewer"].get(f"{path}/changes").expect(200)
    assert (changes["since"], changes["interface"]) == (1, [])
    assert changes["instructions"] == [
        {"kind": "removed", "text": "Say which animal it is."},
        {"kind": "added", "text": "Look twice."},
    ]
    assert market["viewer"].get(f"{path}/changes?since=7").status == 404
    assert market["viewer"].get(f"{path}/changes?since=one").code == "malformed"
    assert market["viewer"].get(f"{at}/versions/1/changes").json["since"] is None
    renamed = market["manager"].call("PATCH", at, {"name": "Beasts"}).expect(200)
    assert renamed["name"] == "Beasts"


def test_answers_are_counted_by_the_version_that_they_were_given_under(market: Market) -> None:
    at = f"projects/{market.project.public_id}"
    worker = make.make_worker()
    make.answer(worker, make.take(worker, market.batch, 3))

    def counted() -> list[tuple[Any, ...]]:
        found = market["viewer"].get(f"{at}/answers-by-version").expect(200)["versions"]
        return [(one["version"], one["answers"], one["stale"]) for one in found]

    assert counted() == [(1, 3, False)]
    market["manager"].post(f"{at}/versions", {"interface": make.INTERFACE}).expect(201)
    assert counted() == [(1, 3, False), (2, 0, False)]
    with one_transaction(principal="test"):
        publish_version(project=market.project, number=2)
    assert counted() == [(1, 3, True), (2, 0, False)]
    [under, _] = market["viewer"].get(f"{at}/answers-by-version").json["versions"]
    assert [(one["id"], one["answers"]) for one in under["batches"] if one["answers"]] == [
        (str(market.batch.public_id), 3)
    ]
    assert under["affected"] == [], "the labels are what they were"


def test_stale_answers_are_told_by_what_they_say_that_is_gone_or_means_something_else(market: Market) -> None:
    at = f"projects/{market.project.public_id}"
    for label, count in (("cat", 2), ("dog", 1)):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, market.batch, count), label)
    later = deepcopy(make.INTERFACE)
    [field] = [one for one in later["answer"] if one["name"] == "label"]
    field["labels"] = [
        {"value": "cat", "title": "Wild cat"},
        *(one for one in field["labels"] if one["value"] not in ("cat", "dog")),
        {"value": "bird", "title": "Bird"},
    ]
    market["manager"].post(f"{at}/versions", {"interface": later}).expect(201)
    with one_transaction(principal="test"):
        publish_version(project=market.project, number=2)

    [under, latest] = market["viewer"].get(f"{at}/answers-by-version").expect(200)["versions"]

    assert {(one["field"], one["label"], one["what"], one["answers"]) for one in under["affected"]} == {
        ("label", "cat", "changed", 2), ("label", "dog", "gone", 1),
    }  # fmt: skip
    assert latest["affected"] == []


def test_a_project_of_others_is_not_there(market: Market) -> None:
    for path in ("answers-by-version", "versions", "versions/1/changes"):
        assert market["other requester"].get(f"projects/{market.project.public_id}/{path}").status == 404
        assert market["owner"].get(f"projects/{uuid4()}/{path}").status == 404
