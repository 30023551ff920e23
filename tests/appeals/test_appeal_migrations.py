"""The tables of rejections and appeals come and go on a database with data."""

from typing import Any

import pytest
from django.core.management import call_command

from marketplace.common.database import rows
from marketplace.common.promises import check_promises
from tests.acts import in_one
from tests.appeals.test_appeals import contest, rejected, staff
from workers.appeals.commands.decide import decide_appeal


@pytest.mark.slow
def test_what_was_rejected_before_gets_its_row(committed: str, migrator: Any) -> None:
    rejected(overlap=1)
    appeal = contest(rejected(overlap=1, dispute_basis_points=10_000))
    in_one(decide_appeal, appeal=appeal.public_id, uphold=True, by=staff().pk, reason="It is a cat.")
    for app, to in (("appeals", "zero"), ("results", "0003"), ("assignments", "0013")):
        call_command("migrate", app, to, database="owner", verbosity=0)
    for app in ("assignments", "results", "appeals"):
        call_command("migrate", app, database="owner", verbosity=0)
    assert [f"{found.name} {found.first}" for found in check_promises() if found.violations] == []
    told = rows("SELECT reason, comment, made_by_id FROM assignments_rejection ORDER BY assignment_id")
    assert told == [("wrong", "Not what was asked.", None)] * 2
