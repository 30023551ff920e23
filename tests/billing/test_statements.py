"""A requester's statement: exact on a worked market, and equal to what every transfer adds up to."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.billing.queries import account_of, held_now, line_pages, statement_of
from marketplace.billing.statements import Spent
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import FEES, outside
from marketplace.ledger.commands import Move, move, reverse
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.periods import Period, flows, lines, stretches
from marketplace.ledger.queries import balance, balance_at
from tests import factories as make
from tests.billing.books import Places, pay, recomputed, require_whole, same, set_time

FEBRUARY, MARCH = Period.month(date(2031, 2, 1)), Period.month(date(2031, 3, 1))
BEFORE, FIRST, LATER = date(2031, 2, 28), date(2031, 3, 1), date(2031, 3, 20)


def make_places() -> Places:
    """A requester with two batches, two workers, and no money."""
    set_time(BEFORE)
    requester = make.make_requester(funds_micros=0)
    project = make.make_project(requester)
    batches = [make.make_draft(project, name=f"Batch {n}") for n in (1, 2)]
    return Places(requester, batches, [make.make_worker() for _ in range(2)])


@pytest.fixture
def places(db: None) -> Places:
    return make_places()


@pytest.fixture
def worked(places: Places) -> Places:
    """Money of every kind: some of it in February, the rest in March, and a little in dollars."""
    one, two = places.batches
    pay("deposit", outside("bank"), places.funds, 1_000)
    pay("hold", places.funds, places.held(0), 300, batch_id=one.pk)
    pay("reward", places.held(0), places.earned(0), 20, batch_id=one.pk)
    pay("fee", places.held(0), FEES, 2, batch_id=one.pk)
    set_time(FIRST)
    pay("deposit", outside("stripe"), places.funds, 500)
    pay("deposit", outside("bank"), places.funds, 70, currency="USD")
    pay("hold", places.funds, places.held(1), 400, batch_id=two.pk)
    pay("reserve", places.funds, places.held(1, "disputes"), 50, batch_id=two.pk)
    pay("reserve", places.funds, places.held(1, "topup"), 60, batch_id=two.pk)
    wrong = pay("reward", places.held(0), places.earned(0), 21, batch_id=one.pk)
    pay("fee", places.held(0), FEES, 3, batch_id=one.pk)
    pay("reward", places.held(1), places.earned(1), 30, batch_id=two.pk)
    pay("fee", places.held(1), FEES, 4, batch_id=two.pk)
    set_time(LATER)
    pay("upheld", places.held(1, "disputes"), places.earned(1), 25, batch_id=two.pk)
    pay("topup", places.held(1, "topup"), places.earned(0), 11, batch_id=two.pk)
    pay("bonus", places.funds, places.earned(0), 9, batch_id=one.pk)
    pay("fee", places.funds, FEES, 1, batch_id=one.pk)
    pay("bonus", places.funds, places.earned(1), 5)
    pay("refund", places.held(0), places.funds, 200, batch_id=one.pk)
    pay("release", places.held(1, "disputes"), places.funds, 25, batch_id=two.pk)
    with one_transaction(principal="test"):
        reverse(key="back", of=wrong, memo="a mistake")
    return places


def test_a_statement_of_a_worked_month_is_exact(worked: Places) -> None:
    statement = statement_of(worked.requester, "EUR", MARCH)
    one, two = (batch.pk for batch in worked.batches)
    books = statement.books

    assert (books.funds_opening_micros, books.held_opening_micros, books.opening_micros) == (700, 278, 978)
    assert (books.deposits_micros, books.taken_back_micros) == (500, 0)
    assert (books.holds_micros, books.refunds_micros) == (510, 225)
    assert books.spent == {
        # The wrong reward and its reversal are together nothing.
        one: Spent(rewards_micros=0, bonuses_micros=9, fees_micros=4),
        two: Spent(rewards_micros=30, upheld_micros=25, topups_micros=11, fees_micros=4),
        None: Spent(bonuses_micros=5),
    }
    assert (books.total.work_micros, books.total.fees_micros, books.fees_of_funds_micros) == (80, 8, 1)
    assert (books.other_of_funds_micros, books.other_of_held_micros) == (0, 0)
    assert (books.funds_closing_micros, books.held_closing_micros, books.closing_micros) == (900, 490, 1_390)
    assert books.opening_micros + 500 - 80 - 8 == books.closing_micros
    assert held_now(worked.requester, "EUR") == 490
    require_whole(books)
    same(statement, recomputed(worked, "EUR", MARCH))
    project = worked.batches[0].project
    assert statement.projects() == {
        project.public_id: ("Pets", Spent(30, 25, 11, 9, 8)),
    }


def test_the_closing_balance_of_a_month_is_the_opening_balance_of_the_next(worked: Places) -> None:
    february, march = (statement_of(worked.requester, "EUR", period).books for period in (FEBRUARY, MARCH))

    assert (february.opening_micros, february.closing_micros) == (0, 978)
    assert march.opening_micros == 978
    whole = statement_of(worked.requester, "EUR", Period(FEBRUARY.first, MARCH.last)).books
    assert (whole.deposits_micros, whole.total.total_micros) == (1_500, 110)
    assert whole.closing_micros == march.closing_micros


def test_currencies_do_not_mix(worked: Places) -> None:
    dollars = statement_of(worked.requester, "USD", MARCH).books

    assert (dollars.opening_micros, dollars.deposits_micros, dollars.closing_micros) == (0, 70, 70)
    assert dollars.spent == {}
    require_whole(dollars)


def test_an_empty_account_has_an_empty_statement(places: Places) -> None:
    statement = statement_of(places.requester, "EUR", MARCH)

    assert statement.books == recomputed(places, "EUR", MARCH)
    assert (statement.books.closing_micros, statement.books.spent, statement.accounts) == (0, {}, [])
    assert statement.projects() == {}


def test_lines_make_up_the_difference_of_the_balances_account_by_account(worked: Places) -> None:
    statement = statement_of(worked.requester, "EUR", MARCH)

    seen = 0
    for account in statement.accounts:
        found = lines(account.stretch, after=0, limit=100)
        seen += len(found)
        assert account.stretch.opening_micros + sum(line["delta_micros"] for line in found) == (
            account.stretch.closing_micros
        )
        assert [line["cursor"] for line in found] == sorted(line["cursor"] for line in found)
        assert not found or found[-1]["balance_after_micros"] == account.stretch.closing_micros
    assert seen == sum(len(page) for _, page in line_pages(statement.accounts)) == 21
    one = worked.batches[0].public_id
    asked = {
        place: account_of(worked.requester, "EUR", MARCH, place=place, batch=batch)
        for place, batch in [("funds", None), ("escrow", one), ("topup", one)]
    }
    assert {place: account.stretch.address for place, account in asked.items() if account} == {
        "funds": worked.funds,
        "escrow": worked.held(0),
    }
    assert account_of(make.make_requester(0), "EUR", MARCH, place="escrow", batch=one) is None


def test_lines_come_in_pages_without_gap_or_repetition(worked: Places) -> None:
    funds = account_of(worked.requester, "EUR", MARCH, place="funds")
    assert funds is not None
    whole = lines(funds.stretch, after=0, limit=100)

    paged, after = [], 0
    while page := lines(funds.stretch, after=after, limit=2):
        paged += page
        after = page[-1]["cursor"]

    assert paged == whole
    assert len(whole) == 9


def test_both_balances_are_those_of_any_moment(worked: Places) -> None:
    for day in (BEFORE, FIRST, date(2031, 3, 10), LATER, date(2031, 3, 31)):
        for address in worked.all():
            found = stretches([address], "EUR", Period(day, day))
            start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(microseconds=1)
            told = (found[0].opening_micros, found[0].closing_micros) if found else (0, 0)
            assert told == (
                balance_at(address, "EUR", start),
                balance_at(address, "EUR", start + timedelta(days=1)),
            )


STEPS = st.lists(
    st.tuples(
        st.integers(0, 19),  # source
        st.integers(0, 19),  # destination
        st.integers(1, 400),  # amount
        st.sampled_from(["hold", "reward", "fee", "refund", "bonus", "adjustment"]),
        st.booleans(),  # with its batch
        st.integers(0, 2),  # days until it
        st.sampled_from(["EUR", "EUR", "USD"]),
    ),
    min_size=10,
    max_size=40,
)


@pytest.mark.django_db
def test_whatever_moves_the_statement_is_what_all_transfers_add_up_to() -> None:
    """Any transfer between any places, of any kind: known ones, unknown ones, and ones that go the other way."""
    places = make_places()
    addresses = places.all()
    tried = {"moved": 0}

    @settings(max_examples=30, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS, first=st.integers(0, 12), length=st.integers(0, 20))
    def one(steps: list[tuple[Any, ...]], first: int, length: int) -> None:
        with transaction.atomic():
            day = BEFORE
            set_time(day)
            for currency in ("EUR", "USD"):
                pay("deposit", outside("bank"), places.funds, 2_000, currency=currency)
            for source, destination, amount, kind, told, days, currency in steps:
                # Money leaves where some is, so that nearly every step moves some, whatever is drawn.
                full = [place for place in addresses if place.startswith("outside:") or balance(place, currency)]
                a, b = full[source % len(full)], addresses[destination % len(addresses)]
                day += timedelta(days=days)
                set_time(day)
                batch = places.batches[0].pk if told else None
                there = amount if a.startswith("outside:") else min(amount, balance(a, currency))
                if a != b and there:
                    pay(kind, a, b, there, currency=currency, batch_id=batch)
                    tried["moved"] += 1
            period = Period(BEFORE + timedelta(days=first), BEFORE + timedelta(days=first + length))
            for currency in ("EUR", "USD"):
                statement = statement_of(places.requester, currency, period)
                same(statement, recomputed(places, currency, period))
                require_whole(statement.books)
            transaction.set_rollback(True)

    one()
    assert tried["moved"] > 200


def test_a_transfer_at_exactly_midnight_belongs_to_the_day_that_begins(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    places = make_places()

    def stop_the_clock(moment: str) -> None:
        as_owner.execute(
            "CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE"
            f" AS $$ SELECT timestamptz '{moment}' $$"
        )

    for amount, moment in [(1, "2031-02-28 23:59:59.999999+00"), (10, "2031-03-01 00:00:00+00"),
                           (100, "2031-03-31 23:59:59.999999+00"), (1_000, "2031-04-01 00:00:00+00")]:  # fmt: skip
        stop_the_clock(moment)
        pay("deposit", outside("bank"), places.funds, amount)

    told = {
        name: (books.opening_micros, books.deposits_micros, books.closing_micros)
        for name, period in [("February", FEBRUARY), ("March", MARCH), ("1 March", Period(FIRST, FIRST))]
        for books in [statement_of(places.requester, "EUR", period).books]
    }
    assert told == {"February": (0, 1, 1), "March": (1, 110, 111), "1 March": (1, 10, 11)}


def test_transfers_that_were_posted_out_of_their_time_change_no_balance(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    """One transaction may begin before midnight and be posted after one of the next day: the sums still agree."""
    places = make_places()
    for amount, moment in [(1, "23:59:58"), (10, "24:00:00.2"), (100, "23:59:59.9"), (1_000, "24:00:01")]:
        as_owner.execute(
            "CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE"
            f" AS $$ SELECT timestamptz '2031-02-28 00:00+00' + interval '{moment}' $$"
        )
        pay("deposit", outside("bank"), places.funds, amount)

    february, march = (statement_of(places.requester, "EUR", period).books for period in (FEBRUARY, MARCH))

    end = datetime(2031, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
    assert february.closing_micros == balance_at(places.funds, "EUR", end) == 111
    assert (march.opening_micros, march.deposits_micros, march.closing_micros) == (111, 1_000, 1_111)


def test_an_account_of_100_000_postings_is_read_by_its_keys_and_no_other_posting(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    places = make_places()
    group = 5_000
    for number in range(20):
        set_time(FIRST + timedelta(days=number))
        with one_transaction(principal="test"):
            move([Move(f"d{number}:{n}", "deposit", outside("bank"), places.funds, "EUR", 1) for n in range(group)])
    as_owner.execute("ANALYZE ledger_posting, ledger_transfer, ledger_account")
    day = FIRST + timedelta(days=3)
    period = Period(day, day)

    def look() -> None:
        of = stretches([places.funds], "EUR", period)
        lines(of[0], after=0, limit=100)
        flows(of)

    plans = _plans(look)
    (found,) = stretches([places.funds], "EUR", period)
    page = lines(found, after=0, limit=100)

    assert (found.before, found.last, found.opening_micros, found.closing_micros) == (15_000, 20_000, 15_000, 20_000)
    assert [line["balance_after_micros"] for line in page] == list(range(15_001, 15_101))
    assert len(plans) == 3
    for plan in plans:
        assert "Seq Scan on ledger_posting" not in plan
        assert "Seq Scan on ledger_transfer" not in plan
        # Some look-ups to find the ends, a page of lines, and the thousand behind the ends that are looked at again.
        assert _rows_read(plan) < 15_000, plan


def _plans(act: Callable[[], Any]) -> list[str]:
    """How PostgreSQL runs every statement of the call, with the rows that it touched."""
    seen: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        act()
    plans = []
    for sql, params in seen:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF, TIMING OFF) " + sql, params)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))
    return plans


def _rows_read(plan: str) -> int:
    return sum(
        round(float(rows) * int(loops))
        for rows, loops in re.findall(r"Scan using \S+ on ledger_\w+.*?rows=([\d.]+) loops=(\d+)", plan)
    )


def test_money_that_is_not_there_makes_no_line(places: Places) -> None:
    with pytest.raises(NotEnough):
        pay("bonus", places.funds, places.earned(0), 1)

    assert statement_of(places.requester, "EUR", Period(BEFORE, BEFORE)).books.spent == {}
