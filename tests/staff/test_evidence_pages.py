"""What staff judge by: a worker's whole record, a batch, agreement, keys in doubt, firings, limits; and what the API
tells of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.api import people as api_people
from marketplace.api import worker_parts
from marketplace.common.database import value
from marketplace.common.transactions import one_transaction
from marketplace.results.tasks import make_figures
from tests import factories as make
from tests.api.callers import caller_for
from tests.api.market import make_appeal
from tests.gold.test_audit import audit, wrong_key_batch
from tests.payouts import people
from tests.reputation.rules.test_applied import MISSES, batch_with, judged, wrong
from tests.staff.desk import at_desk, desk, make_staff, send, told
from tests.web.visitors import text_of
from workers.assignments.commands.leases import return_lease
from workers.assignments.states import ReturnReason
from workers.profiles.models import Link

pytestmark = pytest.mark.django_db
# Loads every view: on a busy machine that takes longer than a test's transaction may sit idle.
reverse("staff_health")


def caller(role: str) -> Any:
    return caller_for(make_staff(role), "staff")


def at_of(worker: Any) -> str:
    return f"/staff/people/workers/{worker.public_id}/"


def worked() -> Any:
    """A worker with an answer that waits, one that was rejected, and one that he gave back."""
    batch, worker = make.make_batch(3, overlap=1, lease_cap=10, name="Cats and dogs"), make.make_worker()
    first, second, third = make.take(worker, batch, 3)
    make.answer(worker, [first, second])
    with one_transaction(principal="test"):
        make.reject(batch, [second], comment="It is no cat.")
    with one_transaction(principal="test"):
        return_lease(
            worker_id=worker.pk, assignment=third.id, token=third.token, reason=ReturnReason.BROKEN,
            comment="No picture.",
        )  # fmt: skip
    return worker, batch


def test_a_workers_page_tells_his_answers_rejections_and_returns_with_their_batch() -> None:
    worker, batch = worked()
    page = text_of(desk("quality").get(at_of(worker)))
    for words in (
        "Waits for a decision 1",
        "Rejected 1",
        "Given back 1",
        "It is no cat.",
        "No picture.",
        "Cats and dogs",
    ):
        assert words in page, words
    for at in (at_of(worker), f"{at_of(worker)}answers/", f"{at_of(worker)}rejections/"):
        listed = desk("quality").get(at).content.decode()
        assert (">Cat</td>" in listed or ": Cat</strong>" in listed) and "cat<" not in listed, "in the question's words"
    file = caller("support").get(f"workers/{worker.public_id}").expect(200)
    assert {state: n for state, n in file["counts"].items() if n} == {"submitted": 1, "rejected": 1, "returned": 1}
    assert [one["values"] for one in file["answers"]] == [{"label": "cat"}] * 2
    assert [(one["reason"], one["comment"]) for one in file["rejections"]] == [("wrong", "It is no cat.")]
    assert [(one["reason"], one["comment"]) for one in file["returns"]] == [("broken", "No picture.")]
    assert {one["batch"] for one in file["answers"]} == {str(batch.public_id)} and file["more"] == []


def test_what_does_not_fit_on_his_page_has_a_list_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, _batch = worked()
    monkeypatch.setattr(api_people, "SHOWN", 1)
    client, support = desk("support"), caller("support")
    page = client.get(at_of(worker)).content.decode()
    assert f'href="{at_of(worker)}answers/"' in page and f'href="{at_of(worker)}returns/"' not in page
    assert support.get(f"workers/{worker.public_id}").expect(200)["more"] == ["answers"]
    assert len(support.all(f"workers/{worker.public_id}/answers")) == 2
    listed = client.get(f"{at_of(worker)}answers/")
    assert listed.content.decode().count('scope="row"') == 2
    looked = [row.subject_id for row in told("person.viewed")]
    assert looked == [str(worker.public_id)] * len(looked) and len(looked) >= 4, "each look is written down"


@pytest.mark.parametrize("name", worker_parts.PARTS)
def test_each_list_of_a_worker_is_for_whom_it_is_on_his_page_too(name: str) -> None:
    worker = make.make_worker()
    for role in ("support", "quality", "finance"):
        staff = make_staff(role)
        may = role in worker_parts.PARTS[name].roles
        assert at_desk(staff).get(f"{at_of(worker)}{name}/").status_code == (200 if may else 403), role
        told_over = caller_for(staff, "staff")
        assert told_over.get(f"workers/{worker.public_id}/{name}").status == (200 if may else 403), role
        assert (told_over.get(f"workers/{worker.public_id}").expect(200)[name] is not None) is may, role


def test_a_workers_gold_record_is_told_to_those_who_judge_with_its_interval() -> None:
    _batch, crew = wrong_key_batch()
    worker = crew[0]
    gold = caller("quality").get(f"workers/{worker.public_id}").expect(200)["gold"]
    assert (gold["judged"], gold["right"]) == (26, 25) and 0 < gold["low"] < 25 / 26 < gold["high"] < 1
    assert "25 of 26 answered right" in text_of(desk("support").get(at_of(worker)))
    assert caller("finance").get(f"workers/{worker.public_id}").expect(200)["gold"] is None
    assert "answered right" not in text_of(desk("finance").get(at_of(worker)))


def test_accounts_are_linked_on_a_page_with_a_reason_and_parted_with_another() -> None:
    worker, other, client = make.make_worker(), make.make_worker(), desk("quality")
    at = f"{at_of(worker)}link/"
    for wrongly in ("x", str(make.make_user().public_id), str(worker.public_id)):
        assert send(client, at, workers=wrongly, reason="one phone").status_code == 422, wrongly
    assert send(client, at, workers=str(other.public_id), reason="").status_code == 422
    assert not Link.objects.exists()
    assert send(client, at, workers=str(other.public_id), reason="One phone, one bank account.").url == at_of(worker)
    link = Link.objects.get()
    page = client.get(at_of(other))
    assert "One phone, one bank account." in text_of(page) and f"linked by {link.made_by.email}" in text_of(page)
    end = f"/staff/people/links/{link.public_id}/end/"
    assert end in page.content.decode()
    assert send(client, end, reason="Brothers.").status_code == 303
    link.refresh_from_db()
    assert link.ended_reason == "Brothers." and "Ended because: Brothers." in text_of(client.get(at_of(worker)))
    again = send(client, end, reason="Once more.")
    assert again.status_code == 422 and "This link has ended already." in text_of(again)
    assert len(told("permission.accounts_linked")) == len(told("permission.link_ended")) == 1


def test_finance_sees_who_wanted_to_be_paid_where_the_worker_is() -> None:
    worker, other = people.make_payee(people.EURO), people.make_payee(people.EURO)
    people.add(worker, "DE1")
    with pytest.raises(AssertionError):
        people.add(other, "DE1")
    for one in (worker, other):
        [told_of] = caller("finance").get(f"workers/{one.public_id}").expect(200)["attempts"]
        assert (told_of["wanted_by"], told_of["owner"]) == (str(other.public_id), str(worker.public_id))
        assert f"{at_of(other)}" in desk("finance").get(at_of(one)).content.decode()


def test_staff_see_a_batch_with_its_terms_and_how_far_its_answers_agree() -> None:
    batch = make.make_batch(4, overlap=2, lease_cap=10, name="Cats and dogs")
    for label in ("cat", "dog"):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 4), label)
    at = f"/staff/quality/batches/{batch.public_id}/"
    assert "worked out for the first time" in text_of(desk("support").get(at))
    make_figures(batch.pk)
    page = text_of(desk("support").get(at))
    assert "Krippendorff's alpha" in page and "Answers a task 2" in page and "Cats and dogs" in page
    file = caller("quality").get(f"batches/{batch.public_id}/file").expect(200)
    assert file["batch"]["overlap"] == 2 and file["standing"]["progress"]["submitted"] == 8
    [field] = file["kept"]["fields"]
    alpha = next(one["value"] for one in field["figures"] if one["name"] == "krippendorff")
    assert alpha < 0
    [told_of] = caller("quality").get("market-quality").expect(200)["agreement"]
    assert (told_of["id"], round(told_of["alpha"], 5)) == (str(batch.public_id), round(alpha, 5))
    assert at in desk("quality").get("/staff/quality/").content.decode()
    assert at in desk("quality").get(f"/staff/people/requesters/{batch.requester.public_id}/").content.decode()
    assert at not in desk("finance").get(f"/staff/people/requesters/{batch.requester.public_id}/").content.decode()


def test_a_strong_word_for_agreement_is_said_only_where_its_interval_allows_it() -> None:
    batch = make.make_batch(4, overlap=2, lease_cap=10)
    for label in ("cat", "dog"):
        worker = make.make_worker()
        first, *others = sorted(make.take(worker, batch, 4), key=lambda lease: lease.data["text"])
        make.answer(worker, [first], "cat")
        make.answer(worker, others[:1], label)
        make.answer(worker, others[1:], "dog")
    make_figures(batch.pk)
    client = desk("quality")

    [told_of] = caller("quality").get("market-quality").expect(200)["agreement"]
    assert told_of["high"] - told_of["low"] > 0.2
    for at in ("/staff/quality/", f"/staff/quality/batches/{batch.public_id}/"):
        page = client.get(at).content.decode()
        assert '<span class="badge quiet">too few answers to tell</span>' in page, at
        assert f'<span class="badge quiet">{told_of["words"]}</span>' not in page, at


def test_the_parts_of_a_batch_add_up_to_its_places_though_some_were_never_given_out() -> None:
    batch, worker = make.make_batch(1, gold=6, overlap=1, lease_cap=10), make.make_worker()
    api, client, at = caller("quality"), desk("support"), f"/staff/quality/batches/{batch.public_id}/"

    def parts() -> tuple[int, int, int, int]:
        file = api.get(f"batches/{batch.public_id}/file").expect(200)
        of = file["standing"]["progress"]
        return of["places"], file["standing"]["places_left"], of["submitted"], file["standing"]["places_closed"]

    places = parts()[0]
    assert parts() == (places, places, 0, 0) and "Not given out" not in text_of(client.get(at))
    while parts()[1]:
        make.answer(worker, make.take(worker, batch, 1))
    caller_for(make.owner_of(batch.requester), "requester").post(f"batches/{batch.public_id}/close").expect(200)
    answered = parts()[2]
    assert 0 < answered < places and parts() == (places, 0, answered, places - answered)
    assert f"Not given out: not needed, or nobody was left {places - answered}" in text_of(client.get(at))


def test_keys_in_doubt_are_listed_and_every_look_at_them_is_written_down() -> None:
    batch, _crew = wrong_key_batch()
    audit()
    client = desk("quality")
    overview = client.get("/staff/quality/").content.decode()
    at = f"/staff/quality/batches/{batch.public_id}/keys/?state=flagged"
    assert at in overview
    client.get(f"/staff/quality/batches/{batch.public_id}/")
    assert told("gold.viewed") == [], "numbers are no look at keys"
    page = text_of(client.get(at))
    assert "wrong" in page and "Dog" in page and "In doubt" in page
    assert [row.subject_id for row in told("gold.viewed")] == [str(batch.public_id)]
    found = caller("support").get(f"batches/{batch.public_id}/file/keys?state=flagged").expect(200)["results"]
    assert [(one["task"], one["state"]) for one in found] == [("wrong", "flagged")]
    assert len(told("gold.viewed")) == 2
    assert value("SELECT count(*) FROM gold_look WHERE what = 'keys'") == 2


def test_firings_name_worker_batch_and_project_everywhere_and_are_counted_by_day() -> None:
    batch, worker = batch_with(MISSES), make.make_worker()
    wrong(worker, batch, 10)
    judged()
    client, api = desk("quality"), caller("quality")
    [firing] = api.get("firings").expect(200)["results"]
    assert (firing["worker"], firing["batch"]) == (str(worker.public_id), str(batch.public_id))
    assert firing["project_name"] == batch.project.name
    for at in ("/staff/quality/firings/", at_of(worker), f"/staff/quality/batches/{batch.public_id}/"):
        page = text_of(client.get(at))
        assert batch.name in page and batch.project.name in page and "Too many wrong." in page, at
        assert "hare of hidden check questions answered right" in page and "[{" not in page, at
        assert "from 10 Answers looked at, each field by itself 10" in page, at
    page = text_of(client.get(at_of(worker)))
    assert "from 10 judgements" in page and "An answer can be judged more than once" in page
    days = api.get("market-quality").expect(200)["days"]
    assert len(days) == 14 and (days[-1]["firings"], days[-1]["workers"]) == (1, 1)
    assert sum(day["firings"] for day in days[:-1]) == 0


def test_rejections_are_counted_by_day_and_taken_home_as_csv_with_a_row_in_the_log() -> None:
    worked()
    api = caller("support")
    lines = api.get("market-quality/days.csv").body.decode().splitlines()
    assert lines[0] == "day,firings,workers,rejections" and len(lines) == 15
    assert lines[-1].endswith(",0,0,1") and [line for line in lines[1:-1] if not line.endswith(",0,0,0")] == []
    [taken] = told("export.figures")
    assert (taken.subject, taken.after) == ("market", {"table": "days"})
    page = desk("support").get("/staff/quality/")
    assert "1 answer rejected" in page.content.decode() and "/api/v1/market-quality/days.csv" in page.content.decode()


def test_what_is_owed_is_drawn_by_its_age_and_goes_home_as_csv() -> None:
    make.make_deposit(make.make_requester(0), 5_000_000)
    people.make_payee(7 * people.EURO)
    page = desk("finance").get("/staff/money/")
    assert 'href="/api/v1/liabilities.csv"' in page.content.decode()
    assert "1 day: 7.00" in page.content.decode() and 'class="chart"' in page.content.decode()


def test_limits_in_force_are_a_list_and_past_ones_another() -> None:
    by = make_staff("quality")
    made = []
    for words in ("Too fast.", "Copied."):
        with one_transaction(principal="test"):
            made.append(
                impose(
                    user_id=make.make_worker().user_id, scope="platform", scope_id=None, measure="limit",
                    reason="haste", words=words, evidence={"note": "x"}, life=timedelta(days=7), made_by=by.pk,
                )
            )  # fmt: skip
    with one_transaction(principal="test"):
        lift(sanction_id=made[1].pk, reason="It was not he.", by=by.pk)
    client = desk("support")
    now, ever = (text_of(client.get(f"/staff/people/sanctions/{query}")) for query in ("", "?all=1"))
    assert "Too fast." in now and "Copied." not in now
    assert "Too fast." in ever and "It was not he." in ever


def test_a_limit_says_how_slow_where_by_name_and_until_when_it_can_be_contested() -> None:
    batch, worker, by = make.make_batch(1), make.make_worker(), make_staff("quality")
    said = {"reason": "haste", "words": "Too fast.", "life": timedelta(days=3), "made_by": by.pk}
    evidence = {"rule": "hasty", "metrics": [{"metric": "fast_share", "value": 0.5, "low": 0.4, "above": 0.3, "n": 40}]}
    with one_transaction(principal="test"):
        slow = impose(
            user_id=worker.user_id, scope="project", scope_id=batch.project_id, measure="slow_down", pace_s=90,
            evidence=evidence, **said,
        )  # fmt: skip
    client, at = desk("support"), at_of(worker)
    page = text_of(client.get(at))
    assert "Slow down: time between two tasks, 1 min 30 s" in page and "ends in 3 days" in page
    assert f"One project: {batch.project.name} ·" in page and str(batch.project.public_id) not in page
    assert "the time to contest it ends in 7 days" in page
    assert "the rule: above 30.0 %" in page and "from 40" in page and "{" not in page
    with one_transaction(principal="test"):
        lift(sanction_id=slow.pk, reason="It was not he.", by=by.pk)
    assert "to contest it" not in text_of(client.get(at))
    [api] = caller("support").get("sanctions").expect(200)["results"]
    assert api["place_name"] == batch.project.name


def test_that_somebody_is_told_who_judges_is_written_down(market: Any) -> None:
    appeal, expert, support = make_appeal(market), make.make_user(), make_staff("support")
    client, api, at = at_desk(support), caller_for(support, "staff"), f"/staff/appeals/{appeal.public_id}/"
    client.get(at)
    api.get(f"appeals/{appeal.public_id}").expect(200)
    assert told("person.viewed") == [], "nobody was named yet"
    assert send(client, at, what="adjudicator", email=expert.email, reason="knows cats").url == at
    before = len(told("person.viewed"))
    client.get(at)
    api.get(f"appeals/{appeal.public_id}").expect(200)
    client.get("/staff/appeals/")
    api.get("appeals").expect(200)
    rows = [(row.subject, row.subject_id) for row in told("person.viewed")[before:]]
    one = ("appeal", str(appeal.public_id))
    assert rows == [one, one, ("appeals", "open"), ("appeals", "all")]
    caller_for(expert, "worker").get(f"appeals/{appeal.public_id}").expect(200)
    assert len(told("person.viewed")) == before + 4, "who judges himself is told nothing of another"


@pytest.mark.parametrize(("role", "shown"), [("support", True), ("quality", False), ("finance", False)])
def test_whose_address_made_a_limit_is_for_support_only(role: str, shown: bool) -> None:
    """A member of an organisation limits workers too: his address is shown by nobody's file."""
    batch, worker = make.make_batch(), make.make_worker()
    member = make.owner_of(batch.requester)
    with one_transaction(principal="test"):
        made = impose(
            user_id=worker.user_id, scope="requester", scope_id=batch.requester_id, measure="limit", reason="haste",
            words="Too fast.", evidence={"note": "x"}, life=timedelta(days=7), made_by=member.pk,
        )  # fmt: skip
    with one_transaction(principal="test"):
        lift(sanction_id=made.pk, reason="A mistake.", by=member.pk)
    staff = make_staff(role)
    key, client = caller_for(staff, "staff"), at_desk(staff)
    told_by = [key.get(f"workers/{worker.public_id}"), key.get(f"workers/{worker.public_id}/sanctions")]
    pages = [client.get(at_of(worker)), client.get(f"{at_of(worker)}sanctions/")]
    if role != "finance":
        told_by += [key.get("sanctions"), key.get(f"sanctions/{made.public_id}")]
        told_by.append(key.post(f"sanctions/{made.public_id}/lift", {"reason": "Again."}))
        pages.append(client.get("/staff/people/sanctions/?all=1"))

    for reply in told_by:
        assert reply.status == 200
        rows = reply.json.get("sanctions", reply.json.get("results", [reply.json]))
        [row] = [row for row in rows if row["id"] == str(made.public_id)]
        assert row["author"] == "person"
        assert (row["made_by"], row["lifted_by"]) == ((member.email,) * 2 if shown else (None,) * 2), reply.path
    for page in pages:
        assert page.status_code == 200
        text = text_of(page)
        assert (member.email in text) is shown and "Too fast." in text
        assert "by a rule" not in text and (shown or "by somebody" in text)


def test_a_limit_that_a_rule_made_says_so_to_everybody() -> None:
    worker = make.make_worker()
    with one_transaction(principal="test"):
        impose(
            user_id=worker.user_id, scope="platform", scope_id=None, measure="limit", firing_id=3, reason="haste",
            words="Too fast.", evidence={"note": "x"}, life=timedelta(days=7),
        )  # fmt: skip
    for role in ("support", "quality"):
        [row] = caller(role).get(f"workers/{worker.public_id}/sanctions").expect(200)["results"]
        assert (row["author"], row["made_by"]) == ("rule", None)
        assert "by a rule" in text_of(desk(role).get(at_of(worker)))
