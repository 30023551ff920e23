"""Every mutant still changes exactly what it names, and every attack still meets the wall that it is meant for."""

import importlib.util
from pathlib import Path
from typing import Any

import psycopg
import pytest

from marketplace.accounts.commands import ensure_staff
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.torture import sql
from tests.torture.adversary import attack
from tests.torture.hooks.torture_mutant import changed
from tests.torture.mutants import MUTANTS, Mutant
from tests.torture.trials import mutate

SOURCES = [(name, *change) for name, mutant in MUTANTS.items() for change in mutant.sources]


@pytest.mark.parametrize(("name", "module", "pattern", "replacement"), SOURCES)
def test_a_mutated_module_is_found_changed_and_compiles(name: str, module: str, pattern: str, replacement: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    source = Path(spec.origin).read_text()

    mutated = changed(source, pattern, replacement)

    assert mutated != source
    compile(mutated, spec.origin, "exec")


def test_a_pattern_must_occur_exactly_once() -> None:
    assert changed("a b", r"(b)", r"\1\1") == "a bb"
    for text in ("a", "b b"):
        with pytest.raises(LookupError):
            changed(text, "b", "c")


@pytest.fixture
def superuser(committed: str, as_owner: psycopg.Connection[Any]) -> Any:
    with psycopg.connect(as_owner.info.dsn, user="postgres", autocommit=True) as database:
        yield database


@pytest.fixture
def arena(committed: str) -> dict[str, Any]:
    """The batch that the adversary plays in, by the same statement as in a run."""
    requester = make.make_requester()
    project = make.make_project(requester)
    batch = make.make_draft(project, overlap=2, lease_cap=3, time_limit_s=3600)
    worker, other = make.make_worker(), make.make_worker()
    own = _worker_of(requester)
    with one_transaction(principal="test"):
        ensure_staff(email=make.make_user().email)
    rows = [{"external_id": f"a{n}", "data": {"text": f"arena {n}"}} for n in range(4)]
    rows[2]["reserved_for"] = [_pseudonym(worker, requester)]
    rows[3]["gold"] = {"label": "cat"}
    make.add_rows(batch, rows)
    make.published(batch)
    return {
        "batch": str(batch.public_id),
        "worker": str(worker.public_id),
        "other": str(other.public_id),
        "own": str(own.public_id),
    }


def _worker_of(requester: Any) -> Any:
    from workers.profiles.models import Worker

    return Worker.objects.create(user=requester.members.get().user)


def _pseudonym(worker: Any, requester: Any) -> str:
    from workers.profiles.commands import pseudonym_for

    with one_transaction(principal="test"):
        return pseudonym_for(worker_id=worker.pk, requester_id=requester.pk)


def test_every_attack_is_tried_and_refused(
    arena: dict[str, Any], as_owner: psycopg.Connection[Any], committed: str, settings: Any
) -> None:
    with as_owner.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        facts = cursor.execute(sql.ARENA, arena).fetchone()
    assert facts is not None and None not in facts.values()
    with psycopg.connect(settings.DATABASE_URL, dbname=committed, autocommit=True) as app:
        roles = {"app": app, "owner": as_owner}
        found = {
            name: attack(roles[role], name, legal, step, facts) for name, (role, legal, step) in sql.ATTACKS.items()
        }
    assert {name: finding for name, finding in found.items() if finding} == {}


@pytest.mark.parametrize("mutant", [mutant for mutant in MUTANTS.values() if mutant.statements or mutant.functions])
def test_a_mutation_of_the_database_can_be_applied(
    superuser: psycopg.Connection[Any], committed: str, mutant: Mutant
) -> None:
    # The name of the database stands in one of them.
    here = Mutant(
        mutant.name,
        mutant.sentence,
        [statement.replace("DATABASE touchstone", f"DATABASE {committed}") for statement in mutant.statements],
        mutant.functions,
    )
    mutate(superuser, here)
