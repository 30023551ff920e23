"""A published version never changes, whoever asks; a draft does until it is published."""

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.common.database import rows, run
from marketplace.common.transactions import one_transaction
from marketplace.projects.commands import add_version
from tests import factories as make

CHANGES = {
    "its interface": "interface = '{}'",
    "its instructions": "instructions = 'Say something else.'",
    "its publication": "published_at = market_now()",
    "back to a draft": "published_at = NULL",
}


@pytest.mark.django_db
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_published_version_is_final_and_the_draft_after_it_is_not(change: str) -> None:
    project = make.make_project()
    with one_transaction(principal="test"):
        add_version(project_id=project.pk, interface=make.INTERFACE, instructions="Look twice.")
    before = rows("SELECT interface, instructions, published_at FROM projects_version WHERE number = 1")
    with pytest.raises(IntegrityError, match="is published"), transaction.atomic():
        run(f"UPDATE projects_version SET {change} WHERE number = 1")
    assert rows("SELECT interface, instructions, published_at FROM projects_version WHERE number = 1") == before
    assert run(f"UPDATE projects_version SET {change} WHERE number = 2") == 1


@pytest.mark.parametrize(
    "attack",
    [f"UPDATE projects_version SET {c}" for c in CHANGES.values()]
    + [
        "UPDATE projects_version SET number = 7",
        "DELETE FROM projects_version",
        "TRUNCATE projects_version CASCADE",
    ],
)
def test_even_the_owner_cannot_change_a_published_version(
    committed: str, as_owner: psycopg.Connection[Any], attack: str
) -> None:
    make.make_project()
    with pytest.raises(psycopg.errors.CheckViolation):
        as_owner.execute(attack)
