"""What a worker reads of his own standing over HTTP."""

from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.market import Market
from workers.reputation.commands import record_outcomes


def answered(market: Market, *scores: float | None) -> None:
    with one_transaction(principal="test"):
        record_outcomes([one for score in scores for one in make.judged(market.worker.pk, market.batch, score)])


def test_a_worker_reads_his_standing_in_each_project_and_beyond(market: Market) -> None:
    assert market["worker"].get("worker/reputation").expect(200) == {"results": [], "next": None}
    answered(market, *[1.0] * 17, *[None] * 3)

    found = market["worker"].get("worker/reputation").expect(200)["results"]

    name = market.project.name
    assert [(row["facet"], row["project"]) for row in found] == [
        ("project", name), ("type:choice", None), ("global", None),
    ]  # fmt: skip
    for row in found:
        assert row.keys() == {"facet", "project", "score", "low", "high", "evidence"}
        assert (row["score"], row["evidence"]) == (0.95, 17)
        assert 0 < row["low"] < row["score"] < row["high"] < 1
    assert market["other worker"].get("worker/reputation").expect(200)["results"] == []


def test_a_worker_reads_why_it_moved_the_latest_first_page_by_page(market: Market) -> None:
    for score in (1.0, 0.0):
        answered(market, *[score] * 20)

    changes = market["worker"].all("worker/reputation/changes", limit=1)

    assert [(row["facet"], row["judged"], row["agreed"]) for row in changes] == [
        (facet, 20, agreed) for agreed in (0, 20) for facet in ("global", "type:choice", "project")
    ]
    latest = changes[2]
    assert latest.keys() == {
        *("facet", "project", "score_from", "score_to", "low", "high"),
        *("judged", "agreed", "taken_back", "words", "made_at"),
    }
    assert (latest["score_from"], latest["score_to"]) == (22 / 23, 22 / 43)
    assert latest["words"] == (
        f"With your last 20 answers in “{market.project.name}”, 20 more could be judged: 0 agreed with what is known to"
        " be right. Your score went from 0.96 to 0.51."
    )
    assert market["other worker"].all("worker/reputation/changes") == []
    assert market["worker"].get("worker/reputation/changes?project=1").code == "unknown-field"
