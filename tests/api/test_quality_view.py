"""Quality rules over HTTP: refused with the reason, tried on what is recorded, and explained to either side."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.accounts.models import Sanction
from marketplace.batches.models import Batch
from tests import factories as make
from tests.api.market import Market, make_market
from workers.profiles.commands import pseudonym_for
from workers.profiles.models import Worker
from workers.reputation.commands import Judged, record_outcomes, set_platform_rules, undo_outcomes
from workers.reputation.commands.apply import evaluate_due
from workers.reputation.models import Firing
from workers.reputation.states import Kind

MISSES: dict[str, Any] = {
    "name": "misses",
    "all": [{"metric": "gold_answers", "at_least": 5}, {"metric": "gold_accuracy", "below": 0.5}],
    "then": [{"do": "limit", "scope": "project", "hours": 72}],
    "words": "Too many wrong.",
}
SLOW: dict[str, Any] = {
    "name": "slow",
    "all": [{"metric": "median_seconds", "above": 60}],
    "then": [{"do": "notify"}],
    "words": "Take a break.",
}
QUIET = {**MISSES, "then": [{"do": "notify"}]}


@pytest.fixture
def market(db: None) -> Market:
    return make_market(quality={"rules": [MISSES, SLOW]})


def answers(worker: Worker, batch: Batch, scores: list[float], took_ms: int = 9_000) -> None:
    place = {"worker_id": worker.pk, "project_id": batch.project_id, "batch_id": batch.pk}
    found = []
    for number, score in enumerate(scores, 1):
        of = {"assignment_id": worker.pk * 10_000 + batch.pk * 100 + number, "given": "cat"}
        found.append(Judged(**place, **of, took_ms=took_ms))
        found.append(Judged(**place, **of, kind=Kind.GOLD, score=score, truth="cat" if score else "dog"))
    record_outcomes(found)


def known(market: Market, worker: Worker) -> str:
    return pseudonym_for(worker_id=worker.pk, requester_id=market.requester.pk)


def dry_run(market: Market, *rules: dict[str, Any], **more: Any) -> Any:
    path = f"projects/{market.project.public_id}/quality/dry-run"
    return market["reviewer"].post(path, {"quality": {"rules": list(rules)}, **more})


def test_rules_are_a_term_of_a_batch_and_each_error_names_its_place(market: Market) -> None:
    path = f"projects/{market.project.public_id}/batches"
    terms = {"name": "B", "price_micros": 1_000, "overlap": 1}
    made = market["manager"].post(path, {**terms, "quality": {"preset": "careful"}}).expect(201)
    assert made["quality"] == {"preset": "careful"}
    assert market["manager"].get(f"batches/{made['id']}").expect(200)["quality"] == {"preset": "careful"}
    wrong = {**MISSES, "all": [{"metric": "charm", "above": 1}], "then": [{"do": "ban"}]}
    refused = market["manager"].post(path, {**terms, "quality": {"rules": [wrong]}}).expect(422)
    assert [error["field"] for error in refused["errors"]] == [
        "quality.rules[0].all[0].metric",
        "quality.rules[0].then[0].do",
    ]
    foreign = {**MISSES, "then": [{"do": "set_skill", "skill": str(market.link.public_id), "value": 1}]}
    refused = market["manager"].post(path, {**terms, "quality": {"rules": [foreign]}}).expect(422)
    assert refused["errors"] == [
        {"field": "quality.rules[0].then[0].skill", "message": "is no skill of your organisation"}
    ]


def test_a_dry_run_says_whom_the_rules_would_have_limited_and_changes_nothing(market: Market) -> None:
    good, doubtful, bad = (make.make_worker() for _ in range(3))
    answers(good, market.batch, [1.0] * 12)
    answers(doubtful, market.batch, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    answers(bad, market.batch, [0.0] * 12)
    # Past twelve wrong answers the upper end of the interval is below one half too.
    sure = {**MISSES, "all": [{"metric": "gold_answers", "at_least": 9}, MISSES["all"][1]], "name": "surely misses"}

    sanctions = Sanction.objects.count()
    told = dry_run(market, MISSES, sure).expect(200)

    assert told["summary"] == "Would have limited 2 of 3 workers, 1 of them within doubt."
    assert (told["workers"], told["limited"], told["in_doubt"], told["complete"]) == (3, 2, 1, True)
    by_name = {one["worker"]: one for one in told["found"]}
    assert by_name.keys() == {known(market, doubtful), known(market, bad)}
    found = by_name[known(market, doubtful)]
    assert (found["limited"], found["in_doubt"], found["answers"]) == (True, True, 6)
    assert [(f["rule"], f["after_answers"]) for f in found["firings"]] == [("misses", 5)]
    assert found["firings"][0]["evidence"][0]["metric"] == "gold_answers"
    assert not by_name[known(market, bad)]["in_doubt"]
    assert Firing.objects.count() == 0 and Sanction.objects.count() == sanctions


def test_a_dry_run_looks_at_one_batch_or_all_of_the_project_and_at_no_other(market: Market) -> None:
    worker, other = make.make_worker(), make.make_worker()
    answers(worker, market.batch, [0.0] * 6)
    answers(other, make.make_batch(1), [0.0] * 6)
    assert dry_run(market, MISSES).expect(200)["limited"] == 1
    assert dry_run(market, MISSES, batch=str(market.draft.public_id)).expect(200)["workers"] == 0
    foreign = str(make.make_batch(1).public_id)
    assert dry_run(market, MISSES, batch=foreign).status == 404
    refused = dry_run(market, {**MISSES, "all": []}).expect(422)
    assert [error["field"] for error in refused["errors"]] == ["quality.rules[0].all"]
    path = f"projects/{market.project.public_id}/quality/dry-run"
    assert market["reviewer"].post(path, {"quality": {}}).expect(422)["errors"][0]["field"] == "quality"


def test_the_dry_run_and_the_rules_in_force_find_the_same(market: Market) -> None:
    workers = [make.make_worker() for _ in range(4)]
    for at, worker in enumerate(workers):
        for number in range(10):
            place = {"worker_id": worker.pk, "project_id": market.project.pk, "batch_id": market.batch.pk}
            score = float((number * 7 + at) % 5 > at)
            record_outcomes([Judged(**place), Judged(**place, kind=Kind.GOLD, score=score)])
            evaluate_due()
    fired = {known(market, f.worker) for f in Firing.objects.select_related("worker")}
    assert fired and {one["worker"] for one in dry_run(market, MISSES).expect(200)["found"]} == fired


def test_a_requester_sees_what_fired_on_what_evidence_and_what_came_of_it(market: Market) -> None:
    worker = make.make_worker()
    answers(worker, market.batch, [0.0] * 6)
    evaluate_due()
    path = f"batches/{market.batch.public_id}/firings"
    (shown,) = market["reviewer"].get(path).expect(200)["results"]
    assert (shown["worker"], shown["rule"], shown["words"]) == (known(market, worker), "misses", "Too many wrong.")
    assert shown["evidence"][0] == {
        "metric": "gold_answers", "bound": "point", "at_least": 5, "value": 5.0, "low": 5.0, "high": 5.0, "n": 5,
    }  # fmt: skip
    assert [(a["action"]["do"], a["outcome"]) for a in shown["actions"]] == [
        ("limit", "limit in the project for 72 hours")
    ]
    assert shown["withdrawn_at"] is None
    undo_outcomes(outcome_ids=[row[0] for row in make.outcomes("id", "kind = 'gold'")], reason="Wrong keys.")
    evaluate_due()
    (shown,) = market["reviewer"].get(path).expect(200)["results"]
    assert shown["withdrawn_at"] and "taken back" in shown["withdrawn_because"]


def test_a_worker_reads_the_words_and_his_open_figures_and_nothing_made_of_gold(market: Market) -> None:
    answers(market.worker, market.batch, [0.0] * 6, took_ms=90_000)
    evaluate_due()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        slow, misses = market["worker"].get("worker/firings").expect(200)["results"]
    assert (misses["rule"], misses["words"], misses["figures"]) == ("misses", "Too many wrong.", [])
    assert misses["measures"] == ["limit in the project for 72 hours"]
    assert slow["figures"] == [
        {"metric": "median_seconds", "above": 60, "value": 90.0, "low": 90.0, "high": 90.0, "n": 6}
    ]
    assert market["other worker"].get("worker/firings").expect(200)["results"] == []
    statements = " ".join(query["sql"] for query in captured.captured_queries)
    assert not any(secret in statements for secret in ("reputation_outcome", "goldkey", "verdict", '"evidence"'))


def test_when_a_rule_on_gold_fires_is_not_told_before_the_next_twentieth_answer(db: None) -> None:
    market = make_market(quality={"rules": [QUIET]})
    answers(market.worker, market.batch, [0.0] * 6)
    evaluate_due()
    assert Firing.objects.count() == 1
    assert market["worker"].get("worker/firings").expect(200)["results"] == []
    place = {"worker_id": market.worker.pk, "project_id": market.project.pk, "batch_id": market.batch.pk}
    record_outcomes([Judged(**place) for _ in range(13)])
    assert market["worker"].get("worker/firings").expect(200)["results"] == []
    record_outcomes([Judged(**place)])
    assert len(market["worker"].get("worker/firings").expect(200)["results"]) == 1


def test_staff_keep_the_platforms_rules_and_their_history(market: Market) -> None:
    everywhere = {**MISSES, "scope": "platform", "then": [{"do": "limit", "scope": "platform", "hours": 1}]}
    for quality, note in (({"rules": [everywhere]}, "First."), ({}, "None for now.")):
        market["staff"].post("platform-rules", {"quality": quality, "note": note}).expect(201)
    kept = market["staff"].get("platform-rules").expect(200)["results"]
    assert [(one["note"], bool(one["quality"])) for one in kept] == [("None for now.", False), ("First.", True)]
    ban = {**everywhere, "then": [{"do": "ban"}]}
    refused = market["staff"].post("platform-rules", {"quality": {"rules": [ban]}, "note": "x"}).expect(422)
    assert refused["errors"][0]["field"] == "quality.rules[0].then[0].do"


def test_a_requester_learns_nothing_of_work_for_others_by_a_rule_that_looks_at_all_work(market: Market) -> None:
    everywhere = {
        "name": "everywhere",
        "scope": "platform",
        "all": [{"metric": "answers", "at_least": 5}, {"metric": "income_day_micros", "above": 1}],
        "then": [{"do": "slow_down", "scope": "project", "pace_s": 5, "hours": 1}],
    }
    set_platform_rules(quality={"rules": [everywhere]}, note="for all", by=make.make_user().pk)
    worker = make.make_worker()
    answers(worker, make.make_batch(1), [1.0] * 4)
    answers(worker, market.batch, [1.0])
    evaluate_due()
    fired = Firing.objects.get(worker=worker)
    assert (fired.batch_id, fired.evidence["answers"]) == (market.batch.pk, 5)
    known(market, worker)
    (shown,) = market["reviewer"].get(f"batches/{market.batch.public_id}/firings").expect(200)["results"]
    assert (shown["rule"], shown["evidence"], shown["answers"]) == ("everywhere", [], None)
    path = f"requesters/{market.requester.public_id}/sanctions"
    of = [one for one in market["manager"].get(path).expect(200)["results"] if one["author"] == "rule"]
    assert [(one["measure"], one["evidence"]) for one in of] == [("slow_down", {})]
    refused = market["manager"].post(f"{path}/{of[0]['id']}/lift", {"reason": "He is good."})
    assert (refused.status, refused.code) == (403, "made-by-staff"), "what the platform's rules made is not his to lift"
    market["staff"].post(f"sanctions/{of[0]['id']}/lift", {"reason": "A mistake."}).expect(200)
