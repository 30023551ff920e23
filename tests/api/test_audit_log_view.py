"""The audit log over HTTP: read by filters that are listed, and its chain computed by whoever reads it."""

import hashlib
import json
from typing import Any

import pytest

from marketplace.common.chains import START
from tests import factories as make
from tests.api.callers import Caller, caller_for
from tests.staff.desk import make_staff


@pytest.fixture
def reader(committed: str) -> Caller:
    make.make_deposit(make.make_requester(0), reference="R1")
    return caller_for(make_staff("finance"), "staff")


def test_who_reads_all_of_it_can_follow_the_chain(reader: Caller) -> None:
    rows = sorted(reader.all("audit-log", limit=2), key=lambda row: row["seq"])
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    last = START
    for row in rows:
        last = hashlib.sha256(last + bytes.fromhex(row["leaf"])).digest()
        assert row["hash"] == last.hex()
    assert reader.get("audit-log/head").json == {"seq": len(rows), "hash": last.hex()}
    assert reader.get("audit-log/check").json == {"rows": len(rows), "anchors": 0, "first_bad": None}


def test_filters_leave_what_they_name(reader: Caller) -> None:
    [deposit] = reader.all("audit-log?act=money.deposit_recorded")
    assert (deposit["via"], deposit["after"]["amount_micros"]) == ("test", 5)
    same: dict[str, Any] = {
        "subject": "deposit", "subject_id": deposit["subject_id"], "actor": deposit["actor"],
        "request_id": deposit["request_id"], "since": deposit["made_at"],
    }  # fmt: skip
    for name, given in same.items():
        found = reader.all(f"audit-log?{name}={str(given).replace('+', '%2B')}&act=money.deposit_recorded")
        assert json.dumps(found) == json.dumps([deposit]), name
    assert {row["act"].partition(".")[0] for row in reader.all("audit-log?kind=permission")} == {"permission"}
    assert reader.all(f"audit-log?until={deposit['made_at'].replace('+', '%2B')}&act=money.deposit_recorded") == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("actor__email__startswith=a", 400), ("actor__password=x", 400), ("order_by=-actor__password", 400),
        ("_connector=OR", 400), ("act=conjured", 422), ("kind=conjured", 422), ("actor=x", 422), ("subject=%00", 422),
        ("since=yesterday", 422), ("since=2026-01-01T00:00:00", 422),
        ("since=0001-01-01T00:00:00%2B14:00", 422), ("until=9999-12-31T23:59:59-14:00", 422),
    ],
)  # fmt: skip
def test_nothing_else_filters(reader: Caller, query: str, status: int) -> None:
    assert reader.get(f"audit-log?{query}").status == status


def test_other_roles_read_the_chain_and_not_the_rows(reader: Caller) -> None:
    support = caller_for(make_staff("support"), "staff")
    assert support.get("audit-log").code == "staff-role-needed"
    assert support.get("audit-log/check").status == 200
    worker = caller_for(make.make_worker().user, "worker")
    assert worker.get("audit-log/check").status == 403
    assert worker.get("audit-log/head").status == 200, "whoever keeps it can tell later that the log was rewritten"
