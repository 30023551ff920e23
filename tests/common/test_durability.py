"""What was acknowledged is on disk: settings that would lose it stop every process that serves (R10)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from deploy.stack import cli, postgres
from marketplace.common.database import rows, value
from marketplace.common.durability import WANTED, NotDurable, refusal, require_durability

ROOT = Path(__file__).resolve().parents[2]
SENTENCE = "Touchstone does not start on this PostgreSQL: synchronous_commit is off"
# Says of its sessions what no setting of a role or a database can say any more.
CARELESS = """
from django.conf import settings
settings.DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"
"""


@pytest.mark.parametrize("name", WANTED)
def test_each_of_the_settings_is_wanted(name: str) -> None:
    good = dict.fromkeys(WANTED, "on")
    assert refusal(good) is None
    assert f"{name} is off" in str(refusal({**good, name: "off"}))
    assert (refusal({**good, "synchronous_commit": "remote_apply"})) is None


def test_no_stack_of_ours_is_careless_not_even_for_tests() -> None:
    for name in WANTED:
        assert postgres.SETTINGS[name] == "on"
        assert name not in cli.BENCH_POSTGRES
    assert "postgres=" not in Path(cli.__file__).read_text().replace("postgres=BENCH_POSTGRES", "")


@pytest.mark.django_db
def test_the_server_of_the_tests_is_durable_too() -> None:
    assert rows("SELECT " + ", ".join(f"current_setting('{name}')" for name in WANTED)) == [("on", "on", "on")]


def test_our_sessions_are_durable_whatever_the_database_says(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    as_owner.execute(f"ALTER DATABASE {committed} SET synchronous_commit = off")
    connection.close()
    assert value("SHOW synchronous_commit") == "on"


def test_a_session_that_is_not_is_refused(committed: str, settings: Any) -> None:
    options = connections["default"].settings_dict["OPTIONS"]
    before = options["options"]
    connection.close()
    require_durability()
    try:
        options["options"] = before + " -c synchronous_commit=off"
        with pytest.raises(SystemExit, match=SENTENCE):
            require_durability()
        # Also when the process runs already, and the server came back with other settings.
        with pytest.raises(NotDurable, match=SENTENCE):
            value("SELECT 1")
    finally:
        from django.db.backends.signals import connection_created

        connection_created.disconnect(dispatch_uid="durability")
        options["options"] = before
        connection.close()


@pytest.mark.parametrize(
    "program",
    [
        "import marketplace.wsgi",
        "import asyncio, importlib\nasync def main(): importlib.import_module('marketplace.asgi')\nasyncio.run(main())",
        "from marketplace.celery import app\napp.worker_main(['worker', '--pool', 'prefork', '-Q', 'none', '-c', '1'])",
    ],
    ids=["web", "live", "worker"],
)
def test_no_process_starts_on_it_and_each_says_so_in_one_sentence(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CARELESS + program],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1].startswith(SENTENCE)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("program", ["import marketplace.wsgi", "import marketplace.asgi"])
def test_a_server_that_is_not_there_yet_is_waited_for(program: str) -> None:
    env = {**os.environ, "DATABASE_URL": "postgresql://nobody@/none?host=/nowhere"}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, timeout=60, check=True)
