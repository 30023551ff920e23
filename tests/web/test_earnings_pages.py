"""Earnings and the statement as pages: exact sums, unpaid time, and as many statements however long the history is."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.common.transactions import one_transaction
from marketplace.ledger.periods import Period, today
from tests import factories as make
from tests.api.callers import caller_for
from tests.payouts import people
from tests.web.moneyed import make_histories, make_history
from tests.web.visitors import client_of, text_of
from workers.assignments.commands.decide import accept_answers
from workers.earnings.days import earned_by_batch, earned_days

pytestmark = pytest.mark.django_db
Clock = Callable[[timedelta], None]
PAGES = ("/work/earnings/", "/work/earnings/statement/")


def sums_of(response: Any) -> dict[str, str]:
    assert response.status_code == 200, response.content
    page = response.content.decode()
    found = re.search(r'<dl class="sums">.*?</dl>', page, re.DOTALL)
    assert found
    pairs = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", found[0], re.DOTALL)
    return {text_of(label): text_of(value) for label, value in pairs}


def test_the_overview_shows_money_by_what_became_of_it() -> None:
    history = make_history()

    response = client_of(history.worker.user).get("/work/earnings/")

    # Of six answers one was paid and one is due, which the page settles; one waits.
    assert sums_of(response) == {
        "Today": "0.04 EUR",
        "This week": "0.04 EUR",
        "This month": "0.04 EUR",
        "Waiting for a decision": "0.02 EUR",
        "On its way to you": "0.00 EUR",
        "Paid out so far": "0.00 EUR",
    }
    page = text_of(response)
    assert "Yours now 0.04 EUR settled, on your account" in page
    assert "It is less than the least that is paid out." in page
    assert "2 rejected answers" in page


@pytest.mark.parametrize(
    ("seconds", "told"), [(20, "An hour is reckoned once there is 1 min of work"), (360, "of 6 min")]
)
def test_an_hour_is_not_reckoned_from_a_few_seconds(
    seconds: int, told: str, clock: Callable[[timedelta], None]
) -> None:
    worker, batch = make.make_worker(), make.make_batch(2, overlap=1, time_limit_s=600)
    [lease] = make.take(worker, batch)
    clock(timedelta(seconds=seconds))
    make.answer(worker, [lease])
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=[lease.id])

    page = text_of(client_of(worker.user).get("/work/earnings/"))

    assert told in page
    assert ("for each hour" in page) == (seconds > 60)


def test_millionths_are_not_rounded_away() -> None:
    worker = people.make_payee(12_345_678_901)

    assert "12,345.678901 EUR" in text_of(client_of(worker.user).get("/work/earnings/"))


def test_what_can_be_withdrawn_is_told_where_a_destination_can_be_used() -> None:
    worker = people.make_payee(7_005_000)
    people.aged(people.add, worker)

    assert "You can take 7.00 EUR now." in text_of(client_of(worker.user).get("/work/earnings/"))


def test_a_new_destination_is_said_to_wait() -> None:
    worker = people.make_payee(7_000_000)
    people.add(worker)

    assert "cannot be used before 72 hours are over" in text_of(client_of(worker.user).get("/work/earnings/"))


def test_the_chart_has_a_table_that_says_the_same() -> None:
    history = make_history()

    page = client_of(history.worker.user).get("/work/earnings/").content.decode()

    assert page.count("<rect x=") == 1
    assert "0.04\u00a0EUR together" in page
    assert re.search(r"<strong>0\.04\u00a0EUR</strong></td></tr>", page)
    assert "style=" not in page


def test_somebody_without_any_work_is_told_where_to_find_some() -> None:
    page = text_of(client_of(make.make_worker().user).get("/work/earnings/"))

    assert "Nothing was accepted in these days" in page
    assert "there is nothing to divide" in page


def test_the_statement_ends_with_the_balance_and_offers_the_same_as_csv() -> None:
    history = make_history()
    client = client_of(history.worker.user)
    client.get("/work/earnings/")

    response = client.get("/work/earnings/statement/")

    page = text_of(response)
    assert "Balance after 0.04 EUR" in page
    assert "Accepted answers Pets in the park · Acme Labels" in page
    [csv] = re.findall(r'href="(/api/v1/worker/statement\.csv[^"]+)"', response.content.decode())
    body = b"".join(client.get(csv.replace("&amp;", "&")).streaming_content).decode()  # type: ignore[attr-defined]
    assert len(body.strip().splitlines()) == 1 + response.content.decode().count('data-label="Balance after"')


def test_a_statement_of_days_the_wrong_way_round_is_refused_at_its_field() -> None:
    client = client_of(make.make_worker().user)

    response = client.get("/work/earnings/statement/?first=2026-03-02&last=2026-03-01&currency=EUR")

    assert response.status_code == 422
    assert "This is after the last day." in text_of(response)
    assert 'value="2026-03-02"' in response.content.decode()


def test_long_statements_are_paged_and_no_line_is_lost() -> None:
    worker = people.make_payee()
    for micros in range(1, 62):
        people.earn(worker, micros)
    client = client_of(worker.user)

    first = client.get("/work/earnings/statement/")
    [after] = re.findall(r'href="(\?[^"]*after=[^"]+)" rel="next"', first.content.decode())
    second = client.get(f"/work/earnings/statement/{after.replace('&amp;', '&')}")

    counts = [page.content.decode().count('data-label="Balance after"') for page in (first, second)]
    assert counts == [50, 11]
    assert 'rel="next"' not in second.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_often_however_long_the_history_is(path: str) -> None:
    counts = []
    for each in (1, 4):
        client = client_of(make_histories(each).user)
        client.get(path)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get(path).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
    assert counts[0] <= 45


def test_the_api_tells_days_and_batches_as_the_page_does() -> None:
    history = make_history()
    worker = caller_for(history.worker.user, "worker")
    worker.get("worker/statement").expect(200)

    days = worker.get("worker/earnings/days").expect(200)["results"]
    [batch] = worker.get("worker/earnings/batches").expect(200)["results"]

    assert days[-1] == {
        "day": today().isoformat(), "answers": 2, "answers_micros": 40_000, "extras_micros": 0, "earned_micros": 40_000,
    }  # fmt: skip
    client = client_of(history.worker.user)
    assert "/work/earnings/days.csv?currency=EUR&amp;days=7" in client.get("/work/earnings/?days=7").content.decode()
    header, *lines = client.get("/work/earnings/days.csv?currency=EUR&days=7").content.decode().splitlines()
    assert (header, len(lines)) == ("day,currency,answers,for_answers,extras,together", 7)
    assert lines[-1] == f"{today().isoformat()},EUR,2,0.04,0.00,0.04"
    assert (batch["answers"], batch["waiting"], batch["rejected"]) == (5, 1, 2)
    assert (batch["paid_micros"], batch["waiting_micros"]) == (40_000, 20_000)


def test_days_and_batches_hold_nothing_of_other_days_workers_and_currencies() -> None:
    history = make_history()
    now = today()
    before = Period(now - timedelta(days=2), now - timedelta(days=1))
    other = make.make_worker()

    assert [day.earned_micros for day in earned_days(history.worker.pk, "EUR", before)] == [0, 0]
    assert earned_by_batch(history.worker.pk, "EUR", before) == []
    assert earned_by_batch(history.worker.pk, "USD", Period(now, now)) == []
    assert earned_by_batch(other.pk, "EUR", Period(now, now)) == []
