"""The restore drill, `./run drill`: bring a backup back to life beside the site, and see that nothing is missing.

Without arguments it copies the running stack of this checkout while it serves: a base backup by backup.sh, checked
file by file, with the log that is written meanwhile; then it sets a mark in the log. A second server starts on the copy
and replays the log up to the mark, as after the loss of a machine. On what came back every promise is checked, the
books are recomputed from the transfers, the audit log is followed from its start, and the figures are compared with
those of the site.

`--backup FOLDER [--wal FOLDER [--until TIME]]` does the same with a backup of any Touchstone on PostgreSQL 18 or 16,
and starts nothing else. Exit 0 only when all is well. What was restored is removed at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from deploy.stack import locks, scratch
from deploy.stack.console import StackError, Stopped, explain_os_error, say
from deploy.stack.environment import PYTHON
from deploy.stack.manifest import damage
from deploy.stack.paths import ROOT, remove_temporary_sockets, socket_directory
from deploy.stack.postgres import APP, DATABASE, OWNER, Postgres
from deploy.stack.privileges import ServiceUser, copy_readable, placed, service_user
from deploy.stack.processes import dies_with_us, last_words
from deploy.stack.supervisor import Supervisor

POINT = "touchstone-drill"
WAIT_S = 120.0
REPLAY_LIMIT_S = 6 * 3600.0
# What only grows: restored, it lies between what the site said before the mark and after it.
FIGURES = """
SELECT json_build_object(
    'accounts', (SELECT count(*) FROM accounts_user),
    'assignments', (SELECT count(*) FROM assignments_assignment),
    'answers', (SELECT count(*) FROM assignments_answer),
    'transfers', (SELECT count(*) FROM ledger_transfer),
    'seals', (SELECT seq FROM ledger_sealer),
    'events', (SELECT coalesce(max(id), 0) FROM common_outbox))
"""
STARTS = "from marketplace.common.durability import require_durability; require_durability()"


@dataclass
class Report:
    """What was done and found; `wrong` is empty when the backup is good."""

    backup: str = ""
    backup_s: float = 0.0
    megabytes: float = 0.0
    restore_s: float = 0.0
    check_s: float = 0.0
    figures: dict[str, int] = field(default_factory=dict)
    promises: int = 0
    money: dict[str, Any] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Copy:
    """A base backup with the pieces of log to replay after it, and where to stop."""

    base: Path
    wal: Path | None = None
    target: dict[str, str] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    seal: Callable[[int], str] | None = None


def main(argv: Sequence[str]) -> int:
    """Run the drill; its exit code."""
    options = _options(argv)
    data = _directory(options.data)
    lock = locks.take(data / "lock")
    if lock is None:
        say(f"Another drill uses {data}.")
        return 1
    report = Report()
    try:
        scratch.clear(data)
        with _clean(data, keep=options.keep):
            _drill(data, options, report)
    except StackError as error:
        report.wrong.append(str(error))
    except (Stopped, KeyboardInterrupt):
        say("Stopped.")
        return 130
    except OSError as error:
        report.wrong.append(explain_os_error(error))
    finally:
        os.close(lock)
    _tell(report, as_json=options.json)
    return 1 if report.wrong else 0


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run drill", description=__doc__.partition("\n")[0])
    parser.add_argument("--backup", type=Path, help="a base backup to restore, instead of one of the running stack")
    parser.add_argument("--wal", type=Path, help="archived pieces of the log that follow it, plain or as .gz")
    parser.add_argument("--until", help="replay up to this time, as 2026-11-22 09:30:00+00; else to the end")
    parser.add_argument("--data", type=Path, help="where to restore (.data/drill of the checkout)")
    parser.add_argument("--keep", action="store_true", help="leave what was restored")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser.parse_args(argv)


def _directory(chosen: Path | None) -> Path:
    wished = chosen.absolute() if chosen else ROOT / ".data" / "drill"
    return placed(wished, service_user(wished / "postgres"), chosen_by_caller=chosen is not None)


@contextlib.contextmanager
def _clean(data: Path, *, keep: bool) -> Iterator[None]:
    try:
        yield
    finally:
        remove_temporary_sockets(data)
        if keep:
            say(f"What was restored is in {data}.")
        else:
            scratch.clear(data)


def _drill(data: Path, options: argparse.Namespace, report: Report) -> None:
    # Whoever runs the site's own server may read what is copied of it.
    user = service_user((data if options.backup else Path(os.environ.get("TOUCHSTONE_DATA", data))) / "postgres")
    supervisor = Supervisor()
    try:
        began = time.monotonic()
        if options.backup:
            copied = _given(data, user, options)
        else:
            say("copying the running database …")
            copied = _taken(data, user)
        report.backup, report.backup_s = copied.base.name, round(time.monotonic() - began, 1)
        report.megabytes = round(sum(f.stat().st_size for f in copied.base.rglob("*") if f.is_file()) / 1e6, 1)
        say("starting a server on the copy …")
        began = time.monotonic()
        server = _restored(data, user, copied, supervisor)
        report.restore_s = round(time.monotonic() - began, 1)
        say("checking what came back …")
        began = time.monotonic()
        _check(server, copied, report)
        report.check_s = round(time.monotonic() - began, 1)
    finally:
        supervisor.stop()


# --- the copy ----------------------------------------------------------------------------------------------------


def _given(data: Path, user: ServiceUser, options: argparse.Namespace) -> Copy:
    """The backup that was named, copied so that the servers' user may have it."""
    if not (options.backup / "backup_manifest").exists():
        raise StackError(f"{options.backup} is no base backup as deploy/backup.sh makes them.")
    folder = _own_folder(data / "given", user)
    base = folder / options.backup.resolve().name
    shutil.copytree(options.backup, base, symlinks=True)
    wal = None
    if options.wal:
        wal = folder / "wal"
        shutil.copytree(options.wal, wal)
    _give(folder, user)
    target = {"recovery_target_time": options.until} if options.until else {}
    _require_whole(base)
    return Copy(base, wal, target)


def _require_whole(base: Path) -> None:
    for sentence in damage(base):
        raise StackError(f"The backup is damaged: {sentence}.")


def _taken(data: Path, user: ServiceUser) -> Copy:
    """A base backup of the running stack, and its log up to a mark that is set after it."""
    sockets = parse_qs(urlsplit(os.environ.get("DATABASE_OWNER_URL", "")).query).get("host")
    stack = Path(os.environ.get("TOUCHSTONE_DATA", ""))
    if not sockets or not (stack / "postgres").exists():
        raise StackError(
            "The server of DATABASE_URL is not ours to copy: make a backup with deploy/backup.sh beside it, and name "
            "it with --backup."
        )
    source = Postgres(stack, Path(sockets[0]), user)
    source.prepare()
    programs = source.install / "bin"
    folder, wal = _own_folder(data / "backups", user), _own_folder(data / "wal", user)
    script = data / "backup.sh"
    copy_readable(ROOT / "deploy" / "backup.sh", script)
    env = {
        "PATH": f"{programs}{os.pathsep}{os.defpath}", "PGHOST": sockets[0], "PGUSER": "postgres", "LC_ALL": "C",
        "VERIFY": "true",  # which is done here
    }  # fmt: skip
    with psycopg.connect(host=sockets[0], user="postgres", dbname=DATABASE, autocommit=True) as asked:
        asked.execute("SELECT pg_reload_conf()")  # a server of an earlier release lets no replication in
        # Nothing of the log is removed from here on until this connection ends; the backup's checkpoint would do so.
        asked.execute("SELECT pg_create_physical_replication_slot(%s, true, true)", [f"drill_{os.getpid()}"])
        with _receiving(programs, wal, user, env) as received:
            said = _as_server(["sh", script, folder], user, env=env, what="The backup failed")
            _require_whole(Path(said.splitlines()[-1]))
            before = _figures(asked)
            row = asked.execute("SELECT pg_walfile_name(pg_create_restore_point(%s))", [POINT]).fetchone()
            assert row is not None
            after = _figures(asked)
            asked.execute("SELECT pg_switch_wal()")
            received(row[0])

    def seal(number: int) -> str:
        with psycopg.connect(host=sockets[0], user="postgres", dbname=DATABASE) as later:
            found = later.execute("SELECT encode(hash, 'hex') FROM ledger_seal WHERE seq = %s", [number]).fetchone()
        return str(found[0]) if found else ""

    return Copy(Path(said.splitlines()[-1]), wal, {"recovery_target_name": POINT}, before, after, seal)


@contextlib.contextmanager
def _receiving(programs: Path, wal: Path, user: ServiceUser, env: Mapping[str, str]) -> Iterator[Callable[[str], None]]:
    """Receives the log while the block runs, as an archive would; gives what waits for a piece to be whole."""
    argv = [programs / "pg_receivewal", "--directory", wal, "--no-loop", "--no-password", "--status-interval", "1"]
    with (wal.parent / "receivewal.log").open("wb") as log:
        receiver = subprocess.Popen(
            [str(part) for part in argv], env=dict(env), cwd="/", stdout=log, stderr=log, **_user_of(user)
        )

    def wait_for(name: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while not (wal / name).exists():
            if receiver.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"The log did not arrive: {last_words(wal.parent / 'receivewal.log')}")
            time.sleep(0.1)

    try:
        yield wait_for
    finally:
        receiver.send_signal(signal.SIGINT)
        receiver.wait(30)


# --- what comes back ---------------------------------------------------------------------------------------------


def _restored(data: Path, user: ServiceUser, copied: Copy, supervisor: Supervisor) -> Postgres:
    """A server on the copy that has replayed all that it is to replay, and takes writes."""
    # Nobody is let in before it is done, whatever the server of the backup had room for.
    settings = {"shared_buffers": "64MB", "hot_standby": "off", **copied.target}
    if copied.wal is not None:
        piece = f'"{copied.wal}/%f"'
        settings["restore_command"] = f'if test -f {piece}; then cp {piece} "%p"; else gzip -dc {piece}.gz >"%p"; fi'
        settings["recovery_target_action"] = "promote"
        (copied.base / "recovery.signal").touch()
    copied.base.rename(data / "postgres")
    _give(data / "postgres", user)
    os.chmod(data / "postgres", 0o700)
    (data / "logs").mkdir(mode=0o700, exist_ok=True)
    server = Postgres(data, socket_directory(data, user.uid, user.gid), user, settings)
    server.start_limit = REPLAY_LIMIT_S
    server.prepare()
    # It ends by itself, and is told of, where the log does not reach the mark.
    supervisor.start(server)
    return server


def _check(server: Postgres, copied: Copy, report: Report) -> None:
    """Everything that `./run check` looks at, and that it is the site's own present."""
    with _superuser(server) as asked:
        report.figures = _figures(asked)
        head = asked.execute("SELECT seq, encode(hash, 'hex') FROM ledger_sealer").fetchone()
        old_epoch = asked.execute("SELECT epoch FROM streams_epoch").fetchone()
    for name, found in report.figures.items():
        if copied.before and not copied.before[name] <= found <= copied.after[name]:
            report.wrong.append(
                f"{name}: {found} came back, the site had {copied.before[name]} before and {copied.after[name]} after"
            )
    assert head is not None
    if copied.seal is not None and head[0] and copied.seal(head[0]) != head[1]:
        report.wrong.append(f"seal {head[0]} is another one than the site's")
    run = _program(server)
    code, said = run("check_promises", "--json")
    found = _json(said)
    report.promises = len(found.get("promises", []))
    if code or not report.promises:
        broken = [promise["name"] for promise in found.get("promises", []) if promise["violations"]]
        report.wrong.append(f"promises are broken: {', '.join(broken) or said[-500:]}")
    code, said = run("check_money", "--json")
    report.money = _json(said)
    if code or "transfers" not in report.money:
        report.wrong.append(f"the books are wrong: {report.money.get('first_bad') or said[-500:]}")
    code, said = run("check_log", "--json")
    report.log = _json(said)
    if code or "rows" not in report.log:
        report.wrong.append(f"the audit log is wrong: {report.log.get('first_bad') or said[-500:]}")
    for what, argv in (
        ("this release's migrations are not all there", ["migrate", "--check", "--database", "owner"]),
        ("the site would not start on it", ["shell", "--no-imports", "-c", STARTS]),
        ("cursors of readers cannot be made void", ["renew_epoch"]),
    ):
        code, said = run(*argv)
        if code:
            report.wrong.append(f"{what}: {said[-500:]}")
    with _superuser(server) as asked:
        if asked.execute("SELECT epoch FROM streams_epoch").fetchone() == old_epoch:
            report.wrong.append("the epoch is still the old one")


def _program(server: Postgres) -> Callable[..., tuple[int, str]]:
    """Runs a command of manage.py on the restored database: its exit code and what it printed."""
    env = {
        "SECRET_KEY": "restore-drill",
        "REDIS_URL": "redis://127.0.0.1:9",  # nothing asks it
        "DJANGO_SETTINGS_MODULE": "marketplace.settings.dev",
        **os.environ,
        "DATABASE_URL": server.url(APP),
        "DATABASE_OWNER_URL": server.url(OWNER),
    }

    def run(*argv: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable or str(PYTHON), str(ROOT / "manage.py"), *argv],
            env=env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            preexec_fn=dies_with_us(signal.SIGTERM),
        )
        return done.returncode, done.stdout if done.stdout.strip() else done.stderr

    return run


def _json(said: str) -> dict[str, Any]:
    for line in reversed(said.splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}


# --- small things ------------------------------------------------------------------------------------------------


def _superuser(server: Postgres) -> psycopg.Connection[Any]:
    return psycopg.connect(host=str(server.sockets), user="postgres", dbname=DATABASE, autocommit=True)


def _figures(asked: psycopg.Connection[Any]) -> dict[str, int]:
    row = asked.execute(FIGURES).fetchone()
    assert row is not None
    return dict(row[0])


def _own_folder(folder: Path, user: ServiceUser) -> Path:
    folder.mkdir(mode=0o700)
    if not user.is_caller:
        os.chown(folder, user.uid, user.gid)
    return folder


def _give(folder: Path, user: ServiceUser) -> None:
    """Make all of it the servers' user's."""
    if not user.is_caller:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _user_of(user: ServiceUser) -> dict[str, Any]:
    if user.is_caller:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


def _as_server(
    argv: Sequence[str | Path], user: ServiceUser, *, what: str, env: Mapping[str, str] | None = None
) -> str:
    """Run a program as the servers' user; what it printed. Raises `StackError` with its own words."""
    done = subprocess.run(
        [str(part) for part in argv],
        env=dict(env or {"PATH": os.defpath, "LC_ALL": "C"}),
        cwd="/",
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        **_user_of(user),
    )
    if done.returncode:
        raise StackError(f"{what}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**asdict(report), "ok": not report.wrong}))
        return
    for line in report.wrong:
        print(f"FAIL {line}")
    if report.figures:
        figures = ", ".join(f"{found:,} {name}" for name, found in report.figures.items())
        print(f"restored {report.backup}: {report.megabytes} MB, {figures}")
        print(
            f"{report.promises} promises checked, {report.money.get('transfers', 0):,} transfers recomputed,"
            f" {report.log.get('rows', 0):,} rows of the audit log followed"
        )
        print(f"copied in {report.backup_s} s, restored in {report.restore_s} s, checked in {report.check_s} s")
    print("The backup cannot be relied on." if report.wrong else "Everything came back.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
