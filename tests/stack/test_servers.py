"""The embedded servers: places, users, versions, and what survives which death."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.stack import locks, paths, processes
from tests.stack.harness import Checkout, clean_up, free_port, interrupt, make_checkout, said, until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def main_postgres(checkout: Checkout) -> int:
    return int((checkout.data() / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def notes(checkout: Checkout) -> list[str]:
    done = checkout.run("manage", "notes")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_a_command_gets_both_servers_and_leaves_nothing_running(new_checkout: Checkout) -> None:
    facts = new_checkout.facts()

    assert facts["user"] == "touchstone_app"
    assert facts["owner"] == "touchstone_owner"
    assert facts["server"].startswith("18")
    assert facts["redis"] == "kept"
    assert facts["DJANGO_SETTINGS_MODULE"] == "marketplace.settings.dev"
    assert new_checkout.processes() == []
    assert not (new_checkout.data() / "stack.json").exists()


def test_the_secret_key_is_made_once_and_private(checkout: Checkout) -> None:
    first, second = checkout.facts(), checkout.facts()

    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert (checkout.data() / "secret_key").stat().st_mode & 0o777 == 0o600


def test_variables_of_another_database_do_not_redirect_ours(checkout: Checkout) -> None:
    facts = checkout.facts(env={"PGPORT": "1", "PGHOST": "nowhere", "PGDATABASE": "other", "PGUSER": "other"})

    assert facts["user"] == "touchstone_app"


def test_postgresql_16_can_be_chosen_and_the_directory_remembers_it(new_checkout: Checkout) -> None:
    chosen = new_checkout.facts(env={"TOUCHSTONE_PG": "16"})
    remembered = new_checkout.facts()
    refused = new_checkout.run("manage", "facts", env={"TOUCHSTONE_PG": "18"})

    assert chosen["server"].startswith("16")
    assert remembered["server"].startswith("16")
    assert refused.returncode == 1
    assert "belongs to PostgreSQL 16, but TOUCHSTONE_PG=18" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["with a space", "quote'd & odd, näme", "deep/" + "x" * 120])
def test_odd_and_over_long_paths_work(checkout_at: Callable[[str], Checkout], name: str) -> None:
    checkout = checkout_at(name)

    facts = checkout.facts()

    socket_folder = Path(facts["DATABASE_URL"].partition("?host=")[2])
    assert facts["user"] == "touchstone_app"
    assert paths.sockets_fit(socket_folder)
    assert checkout.root not in socket_folder.parents
    assert not socket_folder.exists()


@pytest.mark.slow
def test_temporary_sockets_of_a_killed_run_are_removed_by_the_next(checkout_at: Callable[[str], Checkout]) -> None:
    checkout = checkout_at("with a space")
    process = checkout.start("manage", "sleep", "60")
    sockets = Path(str(checkout.wait_ready(process)["sockets"]))
    assert sockets.is_dir()
    checkout.kill_everything()

    checkout.facts()

    assert not sockets.exists()


@as_root
def test_root_runs_the_servers_as_somebody_else(checkout: Checkout) -> None:
    process = checkout.start("manage", "sleep", "30")
    checkout.wait_ready(process)

    pid = main_postgres(checkout)

    assert Path(f"/proc/{pid}").stat().st_uid != 0
    assert Path(f"/proc/{pid}/status").read_text().partition("CapEff:")[2].split()[0] == "0" * 16
    assert (checkout.data() / "postgres").stat().st_mode & 0o777 == 0o700
    assert (checkout.data() / "sockets").stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
@as_root
def test_root_in_a_closed_folder_gets_a_place_elsewhere_and_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    checkout = make_checkout(tmp_path / "touchstone")
    before = (tmp_path.stat().st_mode, checkout.root.stat().st_mode)
    moved: Path | None = None
    try:
        done = checkout.run("manage", "facts")
        assert done.returncode == 0, done.stderr
        moved = Path(json.loads(done.stdout)["TOUCHSTONE_DATA"])

        assert f"the data is in {moved}" in done.stderr
        assert checkout.root not in moved.parents
        assert (tmp_path.stat().st_mode, checkout.root.stat().st_mode) == before
        assert (moved / "secret_key").stat().st_mode & 0o777 == 0o600
    finally:
        clean_up(checkout)
        if moved is not None:
            shutil.rmtree(moved)


@as_root
def test_a_chosen_directory_that_the_servers_cannot_enter_is_refused_in_a_sentence(
    checkout: Checkout, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)

    done = checkout.run("manage", "facts", env={"TOUCHSTONE_DATA": str(tmp_path / "data")})

    assert done.returncode == 1
    assert "set TOUCHSTONE_DATA to a directory that he can reach" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_plain_user_runs_everything_as_himself(plain_user_checkout: Checkout) -> None:
    process = plain_user_checkout.start("manage", "sleep", "30")
    plain_user_checkout.wait_ready(process)

    uid = plain_user_checkout.root.stat().st_uid

    assert uid != 0
    assert Path(f"/proc/{main_postgres(plain_user_checkout)}").stat().st_uid == uid
    assert plain_user_checkout.data().stat().st_mode & 0o777 == 0o700
    assert interrupt(process) != 0
    assert plain_user_checkout.processes() == []
    assert plain_user_checkout.facts()["user"] == "touchstone_app"


@pytest.mark.slow
@as_root
def test_root_can_continue_with_the_data_of_a_plain_user(plain_user_checkout: Checkout) -> None:
    plain_user_checkout.facts()
    plain_user_checkout.user = None

    assert plain_user_checkout.facts()["user"] == "touchstone_app"


def test_everything_survives_kill_9_and_an_immediate_start(checkout: Checkout) -> None:
    assert checkout.run("manage", "migrate", "--database", "owner").returncode == 0
    for round_number in range(3):
        process = checkout.start("manage", "sleep", "60")
        checkout.wait_ready(process)
        assert checkout.run("manage", "note", f"round {round_number}").returncode == 0

        checkout.kill_everything()
        assert notes(checkout) == [f"round {n}" for n in range(round_number + 1)]

    assert checkout.processes() == []


def test_killing_only_the_supervisor_takes_the_servers_down_too(checkout: Checkout) -> None:
    process = checkout.start("manage", "sleep", "60")
    checkout.wait_ready(process)

    process.kill()

    assert until(lambda: checkout.processes() == [], 25)


def test_a_postmaster_that_is_still_shutting_down_is_waited_for(checkout: Checkout) -> None:
    process = checkout.start("manage", "sleep", "60")
    checkout.wait_ready(process)
    old = main_postgres(checkout)
    os.kill(old, signal.SIGSTOP)
    process.kill()
    process.wait()

    second = checkout.start("manage", "facts")
    assert until(lambda: "of an earlier run is still there" in said(second), 30), said(second)
    time.sleep(1)
    assert second.poll() is None
    os.kill(old, signal.SIGCONT)

    assert second.wait(60) == 0, said(second)


@pytest.mark.slow
def test_backends_that_outlive_their_postmaster_are_ended(checkout: Checkout) -> None:
    process = checkout.start("manage", "sleep", "60")
    checkout.wait_ready(process)
    old = main_postgres(checkout)
    children = [pid for pid in locks.holders(checkout.data() / "postgres.lock") if pid != old]
    for pid in children:
        os.kill(pid, signal.SIGSTOP)
    os.kill(old, signal.SIGKILL)
    process.kill()

    assert checkout.facts()["user"] == "touchstone_app"
    assert not any(Path(f"/proc/{pid}").exists() and _alive(pid) for pid in children)


def _alive(pid: int) -> bool:
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_a_stale_pid_file_that_names_a_living_stranger_does_no_harm(checkout: Checkout) -> None:
    checkout.facts()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pid_file = checkout.data() / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{pid_file.parent}\n0\n5432\n\n\n\nready   \n")

    try:
        assert checkout.facts()["user"] == "touchstone_app"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_server_that_dies_is_restarted(checkout: Checkout) -> None:
    process = checkout.start("manage", "sleep", "60")
    checkout.wait_ready(process)
    old = main_postgres(checkout)
    valkey = locks.holders(checkout.data() / "valkey.lock")

    for pid in [old, *valkey]:
        os.kill(pid, signal.SIGKILL)

    assert until(lambda: "PostgreSQL ended" in said(process) and "Valkey ended" in said(process), 20), said(process)
    assert until(lambda: checkout.run("manage", "facts").returncode == 0, 30), said(process)
    assert main_postgres(checkout) != old


def test_a_cluster_is_made_whole_after_an_interrupted_first_start(new_checkout: Checkout) -> None:
    process = new_checkout.start("manage", "facts")
    assert until(lambda: any(new_checkout.data().glob("postgres.new*/base")), 30)
    process.kill()
    process.wait()

    assert new_checkout.facts()["user"] == "touchstone_app"
    assert not any(new_checkout.data().glob("postgres.new*"))


@pytest.mark.slow
def test_two_commands_at_once_share_the_servers_and_the_first_waits(checkout: Checkout) -> None:
    first = checkout.start("manage", "sleep", "3")
    checkout.wait_ready(first)
    second = checkout.start("manage", "sleep", "6")

    assert second.wait(30) == 0, said(second)
    assert "slept" in said(second)
    assert "starting PostgreSQL" not in said(second)
    assert first.wait(30) == 0
    assert "still uses these servers" in said(first)
    assert checkout.processes() == []


def test_two_commands_started_together_both_work(checkout: Checkout) -> None:
    started = [checkout.start("manage", "sleep", "0.5") for _ in range(4)]

    assert [process.wait(90) for process in started] == [0, 0, 0, 0], [said(process) for process in started]
    assert checkout.processes() == []


def test_sigterm_stops_the_command_and_the_servers(checkout: Checkout) -> None:
    process = checkout.start("manage", "sleep", "60")
    checkout.wait_ready(process)

    assert interrupt(process, signal.SIGTERM) == 128 + signal.SIGTERM
    assert checkout.processes() == []


def test_exit_codes_pass_through(checkout: Checkout) -> None:
    assert checkout.run("manage", "fail").returncode == 7


# --- disks that refuse -------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(open_folder: Path):  # type: ignore[no-untyped-def]
    """Mounts a tmpfs of the wished size, or skips."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        place = open_folder / f"disk{len(mounted)}"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip("cannot mount a tmpfs here")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


def assert_one_sentence(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr.splitlines()[-1] or part in done.stderr, done.stderr


@as_root
def test_a_disk_too_small_for_a_cluster_is_said_in_a_sentence(
    checkout: Checkout, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("size=30m,mode=755")

    done = checkout.run("manage", "facts", env={"TOUCHSTONE_DATA": str(disk / "data")})

    assert_one_sentence(done, "is full", "TOUCHSTONE_DATA")


@as_root
def test_a_disk_that_is_full_to_the_last_byte_is_said_in_a_sentence(
    checkout: Checkout, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("size=1m,mode=755")
    (disk / "data").mkdir(mode=0o711)
    with pytest.raises(OSError), (disk / "filler").open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()

    done = checkout.run("manage", "facts", env={"TOUCHSTONE_DATA": str(disk / "data")})

    assert_one_sentence(done, "full")


@as_root
def test_a_disk_that_fills_up_later_is_said_in_a_sentence(
    checkout: Checkout, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("size=260m,mode=755")
    checkout.env["TOUCHSTONE_DATA"] = str(disk / "data")
    checkout.facts()
    with pytest.raises(OSError), (disk / "filler").open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()

    assert_one_sentence(checkout.run("manage", "facts"), "full")

    (disk / "filler").unlink()
    assert checkout.facts()["user"] == "touchstone_app"


@as_root
def test_a_read_only_disk_is_said_in_a_sentence(checkout: Checkout, small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("size=1m,mode=755,ro")

    done = checkout.run("manage", "facts", env={"TOUCHSTONE_DATA": str(disk / "data")})

    assert_one_sentence(done, "read-only file system")


def test_a_directory_without_permission_is_said_in_a_sentence(plain_user_checkout: Checkout) -> None:
    closed = plain_user_checkout.root / "closed"
    closed.mkdir(mode=0o000)

    done = plain_user_checkout.run("manage", "facts", env={"TOUCHSTONE_DATA": str(closed / "data")})

    closed.chmod(0o700)
    assert_one_sentence(done, "no permission")


# --- servers of one's own ----------------------------------------------------------------------------------------


def test_servers_named_by_urls_are_used_instead_of_the_embedded_ones(checkout_at: Callable[[str], Checkout]) -> None:
    host, guest = checkout_at("host"), checkout_at("guest")
    process = host.start("manage", "sleep", "60")
    stack = host.wait_ready(process)
    urls = {
        "DATABASE_URL": str(stack["database_url"]),
        "DATABASE_OWNER_URL": str(stack["database_owner_url"]),
        "REDIS_URL": str(stack["redis_url"]),
    }

    both = guest.facts(env=urls)
    database_only = guest.facts(env={k: v for k, v in urls.items() if k != "REDIS_URL"})

    assert both["DATABASE_URL"] == database_only["DATABASE_URL"] == urls["DATABASE_URL"]
    assert both["REDIS_URL"] == urls["REDIS_URL"] != database_only["REDIS_URL"]
    assert not (guest.data() / "postgres").exists()


@pytest.mark.parametrize("given", ["DATABASE_URL", "DATABASE_OWNER_URL"])
def test_one_database_url_without_the_other_is_refused(checkout: Checkout, given: str) -> None:
    done = checkout.run("manage", "facts", env={given: "postgresql://x@/y"})

    assert_one_sentence(done, f"{given} is set but")


def test_a_named_server_that_does_not_answer_is_said_in_a_sentence(checkout: Checkout) -> None:
    nowhere = f"postgresql://x@127.0.0.1:{free_port()}/y"

    database = checkout.run("manage", "facts", env={"DATABASE_URL": nowhere, "DATABASE_OWNER_URL": nowhere})
    redis = checkout.run("manage", "facts", env={"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})

    assert_one_sentence(database, "The database of DATABASE_URL does not answer")
    assert_one_sentence(redis, "The server of REDIS_URL does not answer")


def test_a_log_that_has_grown_is_put_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with processes.open_log(log) as writer:
        writer.write(b"x" * (processes.LOG_LIMIT + 1))
        processes.shorten_log(log)
        writer.write(b"new")

    assert log.read_bytes() == b"new"
    assert (tmp_path / "web.log.1").stat().st_size == processes.LOG_LIMIT + 1


def test_a_port_helper_sees_a_taken_port() -> None:
    from deploy.stack import site

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not site._free(listener.getsockname()[1])
