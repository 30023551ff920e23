"""Skills, lists, audiences, devices and links over HTTP: what each side may say and gets to see."""

from typing import Any

import pytest

from tests import factories as make
from tests.api.market import Market, make_market
from workers.api.devices import device_class
from workers.profiles.models import Worker

PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36"
TABLET = "Mozilla/5.0 (Linux; Android 14; SM-X910) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"


def test_a_skill_is_granted_shown_to_its_worker_and_revoked(market: Market) -> None:
    owner, at = market["owner"], f"skills/{market.skill.public_id}"
    granted = owner.post(
        f"{at}/grants", {"worker": market.known, "value": 0.75, "evidence": "exam", "expires_in_s": 60}
    ).expect(201)
    assert (granted["worker"], granted["value"], granted["revoked_at"]) == (market.known, 0.75, None)
    held = market["worker"].all("worker/skills")
    assert [(one["name"], one["value"], one["evidence"]) for one in held] == [("Reads", 0.75, "exam")]
    assert held[0]["requester"] == {"id": str(market.requester.public_id), "name": "Acme Labels"}
    assert held[0]["expires_at"] == granted["expires_at"] > granted["granted_at"]
    assert market["other worker"].all("worker/skills") == []
    owner.post(f"{at}/revoke", {"worker": market.known, "reason": "copied"}).expect(200)
    assert owner.post(f"{at}/revoke", {"worker": market.known, "reason": "copied"}).code == "skill-not-held"
    assert (owner.all(f"{at}/grants"), market["worker"].all("worker/skills")) == ([], [])
    [past] = owner.all(f"{at}/grants?history=true")
    assert (past["id"], past["revoked_reason"]) == (granted["id"], "copied")
    assert owner.get(f"{at}/grants?history=1").status == 422


def test_a_grant_that_does_not_fit_is_refused_and_named(market: Market) -> None:
    at = f"skills/{market.skill.public_id}/grants"
    reply = market["owner"].post(at, {"worker": market.known, "evidence": "exam"})
    assert (reply.code, reply.json["errors"][0]["field"]) == ("invalid-grant", "value")
    theirs = make_market()
    for name in (theirs.known, "w_unknown", str(market.worker.public_id)[:24]):
        reply = market["owner"].post(at, {"worker": name, "value": 1, "evidence": "exam"})
        assert (reply.status, reply.code, reply.json["errors"][0]["field"]) == (422, "unknown-workers", "worker")


def test_a_list_changes_all_or_none_and_its_workers_never_see_it(market: Market) -> None:
    at = f"lists/{market.worker_list.public_id}/members"
    refused = market["owner"].post(at, {"add": [market.known, "w_unknown"], "remove": ["w_other"]})
    assert [error["field"] for error in refused.json["errors"]] == ["add[1]", "remove[0]"]
    assert market["owner"].all(at) == []
    assert market["owner"].post(at, {"add": [market.known]}).json == {"added": 1, "removed": 0}
    assert [one["worker"] for one in market["owner"].all(at)] == [market.known]
    audience = {"list": {"id": str(market.worker_list.public_id), "member": False}}
    batch = make.make_batch(2, project=market.project, audience=audience)
    refused = market["worker"].post(f"worker/batches/{batch.public_id}/claim")
    assert refused.code == "not-eligible"
    assert "Friends" not in "".join(reply.body.decode() for reply in market.said if "worker" in reply.who)
    market["other worker"].post(f"worker/batches/{batch.public_id}/claim").expect(201)


def test_an_audience_is_explained_before_and_after_it_is_stored(market: Market) -> None:
    for country in ["DE"] * 6 + ["FR"] * 9:
        worker = make.make_worker()
        worker.country = country
        worker.save(update_fields=["country"])
    audience = {"all": [{"country": {"in": ["DE"]}}]}
    shown = market["viewer"].post(f"projects/{market.project.public_id}/audience", {"audience": audience}).expect(200)
    # Six, nine, and three of the market who say no country: of its four accounts two are one person's.
    assert (shown["qualify"], shown["of"], shown["estimate"]) == (6, 18, False)
    assert shown["text"] == "6 of 18 workers qualify; most are excluded by country."
    assert shown["excluded_by"] == [
        {
            "path": "audience.all[0].country", "rule": "country", "words": "a country among DE", "workers": 12,
            "only_by_this": 12,
        }
    ]  # fmt: skip
    batch = make.make_draft(market.project, audience=audience)
    assert market["viewer"].get(f"batches/{batch.public_id}/audience").expect(200) == shown
    wrong = market["viewer"].post(
        f"projects/{market.project.public_id}/audience", {"audience": {"all": [{"country": {"in": ["X"]}}]}}
    )
    assert (wrong.code, wrong.json["errors"][0]["field"]) == ("invalid-terms", "audience.all[0].country.in[0]")


def test_an_audience_names_only_what_is_the_organisations_own(market: Market) -> None:
    theirs = make_market()
    at = f"projects/{market.project.public_id}"
    for path, body in ((f"{at}/audience", {}), (f"{at}/batches", {"name": "B", "price_micros": 5, "overlap": 1})):
        for foreign in (theirs.skill.public_id, theirs.worker_list.public_id):
            reply = market["owner"].post(path, {**body, "audience": {"skill": {"id": str(foreign)}}})
            assert (reply.code, reply.json["errors"][0]["field"]) == ("invalid-terms", "audience.skill.id")


def test_a_profile_is_changed_in_parts(market: Market) -> None:
    worker = market["worker"]
    assert worker.call("PATCH", "worker", {"country": "AT", "languages": ["de-AT"]}).expect(200)["country"] == "AT"
    assert worker.call("PATCH", "worker", {"languages": []}).expect(200)["country"] == "AT"
    assert worker.get("worker").json["languages"] == []
    agreed = worker.call("PATCH", "worker", {"content": ["violence", "hate"], "of_age": True}).expect(200)
    assert (agreed["content"], agreed["country"]) == (["hate", "violence"], "AT")
    since = agreed["of_age_at"]
    assert since is not None
    withdrawn = worker.call("PATCH", "worker", {"content": [], "of_age": True}).expect(200)
    assert (withdrawn["content"], withdrawn["of_age_at"]) == ([], since)
    for wrong in ({"country": "Austria"}, {"languages": ["%"]}, {"languages": ["de"] * 31}, {"content": ["kittens"]}):
        assert worker.call("PATCH", "worker", wrong).status == 422
    assert worker.call("PATCH", "worker", {"device": "phone"}).code == "unknown-field"


def test_the_device_of_a_claim_is_what_its_browser_says(market: Market) -> None:
    batch = make.make_batch(4, project=market.project, audience={"device": {"in": ["phone"]}})
    at = f"worker/batches/{batch.public_id}"
    refused = market["worker"].post(f"{at}/claim", headers={"User-Agent": DESKTOP})
    assert (refused.code, refused.json["detail"]) == ("not-eligible", "It asks for a phone.")
    leases = market["worker"].post(f"{at}/claim", headers={"User-Agent": PHONE}).expect(201)["assignments"]
    assert Worker.objects.get(pk=market.worker.pk).device == "phone"
    answer = {"assignment": leases[0]["id"], "token": leases[0]["token"], "values": {"label": "cat"}}
    page: dict[str, Any] = {"answers": [answer], "then_claim": {"batch": str(batch.public_id)}}
    done = market["worker"].post("worker/submissions", page, headers={"User-Agent": DESKTOP}).expect(200)
    assert done["claim_problem"]["code"] == "not-eligible"
    board = market["worker"].call("GET", at, headers={"User-Agent": TABLET}).expect(200)
    assert (board["eligible"], board["reason"]) == (False, "It asks for a phone.")


@pytest.mark.parametrize(
    ("user_agent", "hint", "device"),
    [
        (PHONE, "", "phone"),
        (PHONE, "?1", "phone"),
        (TABLET, "?0", "tablet"),
        (DESKTOP, "?0", "desktop"),
        (DESKTOP, "?1", "phone"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148", "", "phone"),
        ("Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) Mobile/15E148", "", "tablet"),
        ("Mozilla/5.0 (Android 14; Tablet; rv:132.0) Gecko/132.0 Firefox/132.0", "", "tablet"),
        ("", "", "desktop"),
        ("x" * 1_000_000 + "iPhone", "garbage", "desktop"),
    ],
)
def test_a_device_is_told_by_its_user_agent(user_agent: str, hint: str, device: str) -> None:
    assert device_class(user_agent=user_agent, mobile_hint=hint) == device


def test_staff_links_accounts_and_ends_the_link(market: Market) -> None:
    ids = [str(market.worker.public_id), str(market.other_worker.public_id)]
    made = market["staff"].post("workers/links", {"workers": ids, "reason": "one phone"}).expect(201)
    assert made["workers"] == [{"id": one, "person": ids[0]} for one in ids]
    ended = market["staff"].post(f"workers/links/{made['id']}/end", {"reason": "twins"}).expect(200)
    assert ended["workers"] == [{"id": one, "person": one} for one in ids]
    assert (ended["ended_reason"], market["staff"].all("workers/links")[-1]) == ("twins", ended)
    assert market["staff"].post(f"workers/links/{made['id']}/end", {"reason": "twins"}).code == "link-ended"
    unknown = market["staff"].post("workers/links", {"workers": [ids[0], NOBODY], "reason": "r"})
    assert (unknown.code, unknown.json["errors"][0]["field"]) == ("unknown-workers", "workers[1]")


NOBODY = "00000000-0000-4000-8000-000000000000"
