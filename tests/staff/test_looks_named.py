"""What a look of staff at a person leaves in the audit log (R36): at whom it was, and nothing where there was nobody.
That every look leaves a row is held by `tests/contracts/test_looks.py`."""

from typing import Any
from uuid import uuid4

import pytest

from marketplace.backoffice.records.site import records
from tests import factories as make
from tests.acts import in_one
from tests.api.callers import Caller, caller_for
from tests.api.market import Market
from tests.staff.desk import desk, make_staff, told
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.pay import settle_due

pytestmark = pytest.mark.django_db


def looks() -> list[tuple[str, str]]:
    return [(row.subject, row.subject_id) for row in told("person.viewed")]


@pytest.fixture
def finance() -> Caller:
    return caller_for(make_staff("finance"), "staff")


def test_a_look_at_a_workers_account_of_money_names_the_worker(market: Market, finance: Caller) -> None:
    worker = str(market.worker.public_id)
    for what in ("account", "transfers"):
        for place in ("earned", "withdrawing"):
            finance.get(f"ledger/{what}?address=worker:{worker}:{place}").expect(200)

    assert looks() == [("worker", worker)] * 4
    assert {row.via for row in told("person.viewed")} == {"key"}


def test_transfers_that_name_workers_leave_a_row_and_others_none(market: Market, finance: Caller) -> None:
    batch, worker = make.make_batch(1, project=market.project, overlap=1), make.make_worker()
    make.answer(worker, make.take(worker, batch, 1))
    in_one(accept_answers, batch_id=batch.pk, assignments=None)
    in_one(settle_due)
    escrow = f"batch:{batch.public_id}:escrow"
    nobody = (
        f"account?address={escrow}",
        "account?address=platform:fees",
        f"transfers?address=requester:{market.requester.public_id}:funds",
        f"transfers?address=batch:{uuid4()}:escrow",
        "transfers?address=ada@example.org",
        "transfers?address=worker:ada@example.org:earned",
    )
    for asked in nobody:
        finance.get(f"ledger/{asked}").expect(200)
    assert looks() == []

    found = finance.get(f"ledger/transfers?address={escrow}").expect(200)["results"]
    assert f"worker:{worker.public_id}:earned" in {row["destination"] for row in found}
    assert looks() == [("money_place", escrow)]


def test_a_look_at_the_limits_of_one_worker_names_him(market: Market) -> None:
    support, worker = caller_for(make_staff("support"), "staff"), str(market.worker.public_id)
    support.get(f"sanctions?worker={worker}").expect(200)
    support.get("sanctions?in_force=true").expect(200)
    support.get("sanctions").expect(200)
    support.get(f"sanctions/{market.sanction.public_id}").expect(200)

    assert looks() == [
        ("worker", worker),
        ("sanctions", "in_force"),
        ("sanctions", "all"),
        ("sanction", str(market.sanction.public_id)),
    ]


@pytest.mark.parametrize("path", ["sanctions?worker={none}", "sanctions?in_force=1", "sanctions/{none}"])
def test_who_is_shown_nobody_leaves_no_row(market: Market, path: str) -> None:
    assert market["staff"].get(path.format(none=uuid4())).status in (400, 404, 422)
    assert looks() == []


def test_pages_name_what_was_looked_at(market: Market) -> None:
    client, worker = desk("quality"), str(market.worker.public_id)
    link, sanction = str(market.link.public_id), str(market.sanction.public_id)
    for path in (
        "people/sanctions/",
        "people/sanctions/?all=1",
        f"people/sanctions/{sanction}/lift/",
        f"people/workers/{worker}/link/",
        f"people/workers/{worker}/sanction/",
        f"people/links/{link}/end/",
        "quality/firings/",
        f"quality/batches/{market.batch.public_id}/",
    ):
        assert client.get(f"/staff/{path}").status_code == 200, path

    assert looks() == [
        ("sanctions", "in_force"),
        ("sanctions", "all"),
        ("sanction", sanction),
        ("worker", worker),
        ("worker", worker),
        ("link", link),
        ("firings", "all"),
        ("batch", str(market.batch.public_id)),
    ]
    assert {row.via for row in told("person.viewed")} == {"page"}


def test_who_may_not_look_leaves_no_row(market: Market) -> None:
    worker, client = market.worker.public_id, desk("finance")
    for path in ("people/sanctions/", f"people/workers/{worker}/link/", "quality/firings/"):
        assert client.get(f"/staff/{path}").status_code == 403
    key = caller_for(make_staff("quality"), "staff")
    assert key.get(f"ledger/transfers?address=worker:{worker}:earned").status == 403
    assert told("person.viewed") == []


@pytest.mark.parametrize("slug", ["places", "transfers"])
def test_lists_of_the_ledger_tell_of_workers_incomes(market: Market, slug: str) -> None:
    record: Any = next(one for one in records.all() if one.slug == slug)
    assert record.personal
    assert desk("finance").get(record.list_address).status_code == 200
    assert len(told("person.searched")) == 1
