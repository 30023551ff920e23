"""Every mutant still changes exactly what it names, and every attack still meets the wall that it is meant for."""

import importlib.util
from pathlib import Path
from typing import Any

import psycopg
import pytest

from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.runs import make_run
from tests import factories as make
from tests.payouts import people
from tests.torture import sql
from tests.torture.adversary import attack
from tests.torture.hooks.torture_mutant import changed
from tests.torture.mutants import MUTANTS, PROCESSES
from tests.torture.site import NAMES
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
    make.make_draft(project)
    batch = make.make_draft(project, overlap=2, lease_cap=3, time_limit_s=3600)
    worker, other = people.make_payee(9 * people.EURO), make.make_worker()
    own = _worker_of(requester)
    first, _second = people.make_staff(), people.make_staff()
    people.approved(worker, people.aged(people.add, worker), first)
    with one_transaction(principal="test"):
        make_run(provider_name="manual", currency="EUR", by=first.pk)
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


@pytest.fixture
def facts(arena: dict[str, Any], as_owner: psycopg.Connection[Any]) -> dict[str, Any]:
    """What attacks are filled in with."""
    with as_owner.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        found = cursor.execute(sql.ARENA, arena).fetchone()
    assert found is not None and None not in found.values()
    return found


def test_every_attack_is_tried_and_refused(
    facts: dict[str, Any], as_owner: psycopg.Connection[Any], committed: str, settings: Any
) -> None:
    with psycopg.connect(settings.DATABASE_URL, dbname=committed, autocommit=True) as app:
        roles = {"app": app, "owner": as_owner}
        found = {
            name: attack(roles[role], name, legal, step, facts) for name, (role, legal, step) in sql.ATTACKS.items()
        }
    assert {name: finding for name, finding in found.items() if finding} == {}


def test_each_wall_lets_through_what_its_mutant_names_and_nothing_else(
    facts: dict[str, Any], superuser: psycopg.Connection[Any], as_owner: psycopg.Connection[Any], settings: Any
) -> None:
    """In one transaction for each mutant, which is rolled back: so they share a database."""
    logins = {"app": psycopg.conninfo.conninfo_to_dict(settings.DATABASE_URL)["user"], "owner": as_owner.info.user}
    named = [mutant for mutant in MUTANTS.values() if mutant.lets]
    attacks = {name: sql.ATTACKS[name] for mutant in named for name in mutant.lets}
    through: dict[str, set[str]] = {}
    for mutant in named:
        with superuser.transaction(force_rollback=True):
            mutate(superuser, mutant)
            for name, (role, legal, forbidden) in attacks.items():
                superuser.execute(psycopg.sql.SQL("SET LOCAL ROLE {}").format(psycopg.sql.Identifier(logins[role])))
                if attack(superuser, name, legal, forbidden, facts):
                    through.setdefault(mutant.name, set()).add(name)
                superuser.execute("RESET ROLE")
    assert through == {mutant.name: set(mutant.lets) for mutant in named}


def test_every_mutation_of_the_database_can_be_applied(superuser: psycopg.Connection[Any]) -> None:
    """Each in a transaction that is rolled back: so they share a database."""
    refused = {}
    for mutant in MUTANTS.values():
        with superuser.transaction(force_rollback=True):
            try:
                mutate(superuser, mutant)
            except (psycopg.Error, LookupError) as error:
                refused[mutant.name] = f"{error}"
    assert refused == {}


def test_what_a_mutant_names_exists() -> None:
    assert set(PROCESSES) == set(NAMES)
    for mutant in MUTANTS.values():
        assert set(mutant.lets) <= set(sql.ATTACKS), mutant.name
        assert set(mutant.late) <= set(sql.WAITING), mutant.name
        assert set(mutant.runs_in) <= set(PROCESSES), mutant.name
        assert mutant.runs_in if mutant.sources else mutant.runs_in == PROCESSES, mutant.name
