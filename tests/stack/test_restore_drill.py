"""Backups come back: the drill on a cluster of its own, with a market in it, and its mutants: damage must be seen."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.stack.manifest import MANIFEST, damage
from deploy.stack.paths import ROOT, remove_temporary_sockets, socket_directory
from deploy.stack.postgres import APP, DATABASE, OWNER, STOP_PLAN, Postgres
from deploy.stack.privileges import copy_readable, service_user
from deploy.stack.processes import stop
from tests.stack.harness import until

# A small market with money, gold and answers, by the product's own commands.
FILL = """
import django
django.setup()
from tests import factories as make
from marketplace.ledger.tasks import seal_transfers
batch = make.make_batch(tasks=6, gold=1, overlap=2)
for _ in range(2):
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, count=3))
seal_transfers()
"""

# CI drills for real (`./run drill`); what goes wrong is tried here.
pytestmark = pytest.mark.slow


@dataclass
class Site:
    """A running cluster with a migrated database in a folder of its own, and the environment that leads to it."""

    server: Postgres
    folder: Path
    env: dict[str, str]

    def drill(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run the drill; its exit code and its report."""
        done = self.run(
            str(ROOT / "deploy" / "restore_drill.py"), "--data", str(self.folder / "drill"), "--json", *arguments
        )
        assert done.stdout.strip(), done.stderr
        return done.returncode, dict(json.loads(done.stdout.splitlines()[-1]))

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *argv], env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )

    def backup(self, folder: Path, *rest: str) -> subprocess.CompletedProcess[str]:
        """backup.sh as the servers' user, with the programs of the wheel."""
        user, script = self.server.user, self.folder / "backup.sh"
        copy_readable(ROOT / "deploy" / "backup.sh", script)
        env = {
            "PATH": f"{self.server.install / 'bin'}{os.pathsep}{os.defpath}",
            "PGHOST": str(self.server.sockets),
            "PGUSER": "postgres",
            "VERIFY": "true",  # which the drill does by itself
        }
        drop = {} if user.is_caller else {"user": user.uid, "group": user.gid, "extra_groups": []}
        return subprocess.run(
            ["sh", str(script), str(folder), *rest],
            env=env,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **drop,
        )

    def own_folder(self, name: str) -> Path:
        """A folder that the servers' user may write."""
        made = self.folder / name
        made.mkdir()
        os.chown(made, self.server.user.uid, self.server.user.gid)
        return made

    def superuser(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.server.sockets), user="postgres", dbname=DATABASE, autocommit=True)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="ts-drill-"))
    folder.chmod(0o711)
    data = folder / "site"
    data.mkdir(mode=0o711)
    (data / "logs").mkdir()
    user = service_user(data / "postgres")
    server = Postgres(data, socket_directory(data, user.uid, user.gid), user)
    server.prepare()
    process = server.spawn()
    made = Site(
        server,
        folder,
        {
            **os.environ,
            "DATABASE_URL": server.url(APP),
            "DATABASE_OWNER_URL": server.url(OWNER),
            "TOUCHSTONE_DATA": str(data),
            "DJANGO_SETTINGS_MODULE": "marketplace.settings.test",
            "PYTHONPATH": str(ROOT),
        },
    )
    try:
        assert until(lambda: server.ready(process), 90), server.log.read_text()
        for argv in (["manage.py", "migrate", "--database", "owner", "--no-input"], ["-c", FILL]):
            done = made.run(*argv)
            assert done.returncode == 0, done.stderr
        yield made
    finally:
        stop(process, STOP_PLAN, asked=False)
        remove_temporary_sockets(data)
        shutil.rmtree(folder, ignore_errors=True)


def test_all_comes_back_with_what_was_written_after_the_backup(site: Site) -> None:
    code, report = site.drill()

    assert (code, report["wrong"], report["ok"]) == (0, [], True)
    figures = report["figures"]
    assert (figures["assignments"], figures["answers"]) == (6, 6)
    assert figures["transfers"] == figures["seals"] == report["money"]["transfers"] > 0
    assert report["promises"] > 20
    assert report["money"]["first_bad"] is None
    assert report["log"]["first_bad"] is None
    assert report["log"]["rows"] > 0
    assert not (site.folder / "drill" / "postgres").exists(), "nothing of it is left"


def test_the_newest_backups_are_kept_with_the_log_that_they_need(site: Site) -> None:
    folder, wal = site.own_folder("kept"), site.own_folder("wal")
    for name in ("000000010000000000000000", "0000000100000000000000FF"):
        (wal / f"{name}.gz").write_bytes(gzip.compress(b"a piece"))
        os.chown(wal / f"{name}.gz", site.server.user.uid, site.server.user.gid)
    for day in ("2020-01-01T00-00-00Z", "2020-01-02T00-00-00Z", "notes"):
        (folder / day).mkdir()
        os.chown(folder / day, site.server.user.uid, site.server.user.gid)
    assert site.backup(folder, "1").returncode == 0

    done = site.backup(folder, "2", str(wal))

    assert done.returncode == 0, done.stderr
    left = sorted(path.name for path in folder.iterdir())
    assert len(left) == 3
    assert left[-1] == "notes"
    assert not any(name.startswith("2020") for name in left)
    assert done.stdout.strip() == str(folder / left[1])
    assert [path.name for path in wal.iterdir()] == ["0000000100000000000000FF.gz"]


def test_a_backup_that_fails_removes_none(site: Site) -> None:
    folder = site.own_folder("failing")
    assert site.backup(folder, "1").returncode == 0
    (before,) = folder.iterdir()
    sockets, site.server.sockets = site.server.sockets, Path("/nowhere")
    try:
        assert site.backup(folder, "1").returncode != 0
    finally:
        site.server.sockets = sockets

    assert [path for path in folder.iterdir() if not path.name.endswith(".unfinished")] == [before]


def test_a_backup_from_elsewhere_is_restored_and_one_with_a_changed_byte_is_refused(site: Site) -> None:
    folder = site.own_folder("elsewhere")
    made = Path(site.backup(folder).stdout.strip())

    code, report = site.drill("--backup", str(made))
    assert (code, report["wrong"]) == (0, [])
    assert report["figures"]["answers"] == 6
    assert (made / "backup_label").exists(), "the backup itself stays as it is"

    largest = max((made / "base").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    with largest.open("r+b") as file:
        file.seek(5000)
        changed = bytes([file.read(1)[0] ^ 1])
        file.seek(5000)
        file.write(changed)
    code, report = site.drill("--backup", str(made))
    assert (code, report["ok"]) == (1, False)
    assert "The backup is damaged" in report["wrong"][0]
    assert report["figures"] == {}


def test_every_file_of_a_backup_is_as_its_manifest_says(site: Site) -> None:
    made = Path(site.backup(site.own_folder("looked-at")).stdout.strip())
    manifest, version = made / MANIFEST, made / "PG_VERSION"
    whole, said = manifest.read_bytes(), version.read_bytes()
    assert list(damage(made)) == []

    version.write_bytes(said.replace(b"1", b"2"))
    assert list(damage(made)) == ["PG_VERSION is not as it was copied"]
    version.write_bytes(said + b"\n")
    assert list(damage(made)) == [f"PG_VERSION has {len(said) + 1} bytes instead of {len(said)}"]
    version.unlink()
    (made / "base" / "more").write_bytes(b"")
    assert list(damage(made)) == ["base/more is not in the manifest", "PG_VERSION is missing"]
    (made / "base" / "more").unlink()
    version.write_bytes(said)
    digest = json.loads(whole)["Files"][0]["Checksum"].encode()
    manifest.write_bytes(whole.replace(digest, digest[::-1]))
    assert list(damage(made)) == ["the manifest is not as it was written"]
    manifest.write_bytes(whole[:-20])
    assert list(damage(made)) == ["the manifest cannot be read"]


def test_a_log_that_does_not_reach_the_moment_is_told(site: Site) -> None:
    made = site.backup(site.own_folder("short")).stdout.strip()
    code, report = site.drill(
        "--backup", made, "--wal", str(site.own_folder("empty")), "--until", "2099-01-01 00:00:00+00"
    )

    assert code == 1
    assert "recovery ended before configured recovery target was reached" in report["wrong"][0]


def test_a_folder_that_is_no_backup_is_refused(site: Site, tmp_path: Path) -> None:
    code, report = site.drill("--backup", str(tmp_path))
    assert code == 1
    assert report["wrong"] == [f"{tmp_path} is no base backup as deploy/backup.sh makes them."]


def test_books_that_are_wrong_are_told(site: Site) -> None:
    """The last one here: it leaves the market with a balance that no transfer explains."""
    with site.superuser() as asked:
        asked.execute("ALTER TABLE ledger_account DISABLE TRIGGER ALL")
        asked.execute("UPDATE ledger_account SET balance_micros = balance_micros + 1 WHERE id = 1")

    code, report = site.drill()

    assert (code, report["ok"]) == (1, False)
    assert any("the books are wrong: account " in line for line in report["wrong"])
