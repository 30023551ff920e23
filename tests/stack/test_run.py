"""./run itself: the site, joining, tests beside it, the environment it makes."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stack.harness import PROJECT, Checkout, interrupt, said, until


def status(url: str) -> int:
    try:
        return int(urllib.request.urlopen(f"{url}/health/", timeout=5).status)
    except OSError:
        return 0


def test_without_a_command_it_prints_help(checkout: Checkout) -> None:
    done = checkout.run()

    assert done.returncode == 0
    for command in ("up", "demo", "test", "manage", "replay", "check"):
        assert f"\n  {command}" in done.stdout
    assert checkout.run("nonsense").returncode == 2


def test_up_starts_the_site_and_ctrl_c_stops_all_of_it(checkout: Checkout) -> None:
    process = checkout.start("up")
    stack = checkout.wait_ready(process)

    assert status(f"http://127.0.0.1:{stack['web_port']}") == 200
    assert status(f"http://127.0.0.1:{stack['live_port']}") == 200
    assert str(stack["web_port"]) == checkout.env["TOUCHSTONE_PORT"]
    assert (checkout.data() / "stack.json").stat().st_mode & 0o777 == 0o600
    assert until(lambda: f"Touchstone runs at http://127.0.0.1:{stack['web_port']}" in said(process), 5)

    started = time.monotonic()
    assert interrupt(process) == 0
    assert time.monotonic() - started < 20
    assert checkout.processes() == []
    assert not (checkout.data() / "stack.json").exists()


def test_a_second_up_says_where_the_site_runs(checkout: Checkout) -> None:
    stack = checkout.wait_ready(checkout.start("up"))

    done = checkout.run("up")

    assert done.returncode == 1
    assert f"The site already runs at http://127.0.0.1:{stack['web_port']}" in done.stderr


def test_manage_check_replay_and_demo_join_the_running_site(checkout: Checkout) -> None:
    process = checkout.start("up")
    stack = checkout.wait_ready(process)

    facts = checkout.facts()
    check = checkout.run("check", "--all")
    replay = checkout.run("replay", "some dir", "--json")
    demo = checkout.run("demo", "--small")

    assert facts["DATABASE_URL"] == stack["database_url"]
    assert facts["TOUCHSTONE_PORT"] == str(stack["web_port"])
    assert facts["TOUCHSTONE_LIVE_URL"] == f"ws://127.0.0.1:{stack['live_port']}"
    assert (check.returncode, check.stdout, check.stderr) == (0, "promises: --all\n", "")
    told = json.loads(replay.stdout)
    assert told["argv"] == ["--base-url", f"http://127.0.0.1:{stack['web_port']}", "some dir", "--json"]
    assert (told["key"], told["status"]) == ("staff-secret", 200)
    assert json.loads(demo.stdout)["argv"][-1] == "--small"
    assert process.poll() is None
    assert status(f"http://127.0.0.1:{stack['web_port']}") == 200


@pytest.mark.slow
def test_replay_without_a_site_starts_one_and_keeps_stdout_clean(checkout: Checkout) -> None:
    done = checkout.run("replay", "dir", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == 200
    assert checkout.processes() == []


@pytest.mark.slow
def test_demo_leaves_the_site_up_unless_told_otherwise(checkout: Checkout) -> None:
    short = checkout.run("demo", "--no-serve", "--small")
    process = checkout.start("demo")
    assert until(lambda: "The site stays up" in said(process) or process.poll() is not None, 90), said(process)

    assert short.returncode == 0, short.stderr
    assert json.loads(short.stdout)["argv"][-1] == "--small"
    assert status(f"http://127.0.0.1:{checkout.stack()['web_port']}") == 200
    assert interrupt(process) == 0
    assert checkout.processes() == []


def test_up_survives_kill_9_of_everything_on_the_same_port(checkout: Checkout) -> None:
    stack = checkout.wait_ready(checkout.start("up"))
    checkout.kill_everything()

    again = checkout.wait_ready(checkout.start("up"))

    assert again["web_port"] == stack["web_port"]


def test_up_survives_kill_9_of_the_supervisor_alone_on_the_same_port(checkout: Checkout) -> None:
    first = checkout.start("up")
    stack = checkout.wait_ready(first)
    first.kill()

    again = checkout.wait_ready(checkout.start("up"))

    assert again["web_port"] == stack["web_port"]


def test_a_dead_web_process_is_replaced_with_its_workers(checkout: Checkout) -> None:
    process = checkout.start("up")
    stack = checkout.wait_ready(process)
    web = [pid for pid in checkout.processes() if b"granian" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    os.kill(min(web), signal.SIGKILL)

    assert until(lambda: "web ended" in said(process), 10)
    assert until(lambda: status(f"http://127.0.0.1:{stack['web_port']}") == 200, 30), said(process)


def test_a_port_that_was_asked_for_and_is_taken_is_said_in_a_sentence(checkout: Checkout) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", int(checkout.env["TOUCHSTONE_PORT"])))
        listener.listen()
        done = checkout.run("up")

    assert done.returncode == 1
    assert "is taken by another program: set TOUCHSTONE_PORT" in done.stderr
    assert "Traceback" not in done.stderr
    assert checkout.processes() == []


def test_a_taken_default_port_moves_the_site_to_the_next_free_one(checkout: Checkout) -> None:
    del checkout.env["TOUCHSTONE_PORT"], checkout.env["TOUCHSTONE_LIVE_PORT"]
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 8000))
            listener.listen()
        except OSError:
            pass  # somebody else has it, which does as well
        stack = checkout.wait_ready(checkout.start("up"))

    assert int(str(stack["web_port"])) > 8000


@pytest.mark.slow
def test_two_checkouts_started_at_the_same_moment_get_different_ports(checkout_at: Callable[[str], Checkout]) -> None:
    pair = [checkout_at("one"), checkout_at("two")]
    for one in pair:
        del one.env["TOUCHSTONE_PORT"], one.env["TOUCHSTONE_LIVE_PORT"]
    started = [one.start("up") for one in pair]

    stacks = [one.wait_ready(process) for one, process in zip(pair, started, strict=True)]

    ports = [stack[name] for stack in stacks for name in ("web_port", "live_port")]
    assert len(set(ports)) == 4


@pytest.mark.slow
def test_up_waits_for_a_command_that_uses_the_servers(checkout: Checkout) -> None:
    command = checkout.start("manage", "sleep", "3")
    checkout.wait_ready(command)
    process = checkout.start("up")

    assert until(lambda: "./run manage uses" in said(process), 20), said(process)
    assert command.wait(30) == 0
    checkout.wait_ready(process)


def test_a_site_process_that_cannot_start_ends_up_with_its_last_words(checkout: Checkout) -> None:
    (checkout.root / "marketplace" / "wsgi.py").write_text("raise RuntimeError('no such thing')\n")

    done = checkout.run("up")

    assert done.returncode == 1
    assert "The web process did not start" in done.stderr
    assert checkout.processes() == []


@pytest.mark.slow
def test_migrations_run_once_and_again_when_the_database_or_a_file_changed(checkout: Checkout) -> None:
    first = checkout.run("check")
    second = checkout.run("check")
    folder = checkout.root / "marketplace" / "migrations"
    folder.mkdir()
    (folder / "0001.py").write_text("# new\n")
    third = checkout.run("check")
    shutil.rmtree(checkout.data() / "postgres")
    fourth = checkout.run("check")

    assert ["migrating" in done.stderr for done in (first, second, third, fourth)] == [True, False, True, True]
    assert all(done.returncode == 0 for done in (first, second, third, fourth))


@pytest.mark.slow
def test_test_runs_pytest_on_servers_of_its_own_beside_a_running_site(checkout: Checkout) -> None:
    (checkout.root / "test_it.py").write_text(
        "import os\ndef test_it():\n    assert os.environ['DJANGO_SETTINGS_MODULE'] == 'marketplace.settings.test'\n"
        "    assert '/.data/test' in os.environ['TOUCHSTONE_DATA']\n"
    )
    (checkout.root / "pytest.ini").write_text("[pytest]\n")
    checkout.wait_ready(checkout.start("up"))

    passed = checkout.run("test", "-q", "-p", "no:django", "-p", "no:cacheprovider", "test_it.py")
    none_found = checkout.run("test", "-q", "-p", "no:django", "-p", "no:cacheprovider", "-k", "nothing", "test_it.py")

    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert none_found.returncode == 5
    assert checkout.processes("test") == []


@pytest.mark.slow
def test_two_test_runs_at_once_use_different_directories(checkout: Checkout) -> None:
    (checkout.root / "test_it.py").write_text(
        "import os, time\ndef test_it():\n    time.sleep(3)\n    print('data=' + os.environ['TOUCHSTONE_DATA'] + ';')\n"
    )
    (checkout.root / "pytest.ini").write_text("[pytest]\n")
    arguments = ("test", "-q", "-s", "-p", "no:django", "-p", "no:cacheprovider", "test_it.py")

    started = [checkout.start(*arguments) for _ in range(2)]

    assert [process.wait(60) for process in started] == [0, 0], [said(process) for process in started]
    used = {said(process).partition("data=")[2].partition(";")[0] for process in started}
    assert used == {str(checkout.data("test")), str(checkout.data("test-2"))}


# --- the virtual environment -------------------------------------------------------------------------------------


def run_with(
    python: str, root: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, str(root / "run"), *arguments],
        cwd=root,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def base_python() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


def small_lock(checkout: Checkout) -> None:
    """Replace the locks by one of a single small package, so that an installation is quick."""
    text = (PROJECT / "requirements.lock").read_text()
    first, *rest = text[text.index("\nsqlparse==") + 1 :].splitlines()
    lines = [first, *itertools.takewhile(lambda line: line.startswith(" "), rest)]
    for name in ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock"):
        (checkout.root / name).write_text("\n".join(lines) + "\n")


def test_a_missing_venv_module_is_answered_with_its_remedy(checkout: Checkout, tmp_path: Path) -> None:
    shutil.rmtree(checkout.root / ".venv")
    # What Debian prints when its python3-venv package is missing.
    words = "The virtual environment was not created successfully because ensurepip is not\\navailable."
    (tmp_path / "venv.py").write_text(f"print('{words}')\nraise SystemExit(1)\n")
    nothing = tmp_path / "bin"
    nothing.mkdir()

    done = run_with(base_python(), checkout.root, "manage", env={"PYTHONPATH": str(tmp_path), "PATH": str(nothing)})

    assert done.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"sudo apt install python{version}-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (checkout.root / ".venv").exists()


def test_an_interrupted_installation_starts_over(checkout: Checkout) -> None:
    small_lock(checkout)
    (checkout.root / ".venv.unfinished").touch()
    (checkout.root / ".venv" / "leftover").touch()

    done = run_with(base_python(), checkout.root, "manage", "facts")

    if "could not install" in done.stderr:
        pytest.skip("no package index can be reached")
    assert "making .venv anew" in done.stderr
    assert "installing 1 package into .venv" in done.stderr
    assert not (checkout.root / ".venv" / "leftover").exists()
    assert not (checkout.root / ".venv.unfinished").exists()
    # The new environment holds only that package, so the embedded server is missing: said in one sentence.
    assert "The embedded PostgreSQL is not installed" in done.stderr


def test_a_package_that_does_not_match_its_hash_is_refused(checkout: Checkout) -> None:
    small_lock(checkout)
    lock = checkout.root / "requirements.lock"
    head = lock.read_text().splitlines()[0]
    lock.write_text(head + "\n    --hash=sha256:" + "0" * 64 + "\n")
    shutil.rmtree(checkout.root / ".venv")

    done = run_with(base_python(), checkout.root, "manage", "facts")

    assert done.returncode == 1
    assert "could not install the packages" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_superset_that_is_installed_needs_no_second_installation(checkout: Checkout) -> None:
    done = run_with(base_python(), checkout.root, "manage", "facts")

    assert done.returncode == 0, done.stderr
    assert "installing" not in done.stderr


def test_a_second_run_waits_while_the_first_installs(checkout: Checkout) -> None:
    import fcntl

    stamp = checkout.root / ".venv" / "touchstone-installed.json"
    complete = stamp.read_text()
    stamp.write_text('{"pins": {}}')
    with (checkout.root / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = checkout.start("manage", "facts")
        assert until(lambda: "Another ./run is installing packages" in said(process), 20)
        stamp.write_text(complete)

    assert process.wait(60) == 0, said(process)
    assert "[1/3] installing" not in said(process)


def test_an_environment_whose_python_vanished_is_made_anew(checkout_at: Callable[[str], Checkout]) -> None:
    checkout = checkout_at("plain")
    small_lock(checkout)
    for name in ("python", "python3", f"python3.{sys.version_info.minor}"):
        (checkout.root / ".venv" / "bin" / name).unlink(missing_ok=True)

    done = run_with(base_python(), checkout.root, "manage", "facts")

    if "could not install" in done.stderr:
        pytest.skip("no package index can be reached")
    assert "making .venv anew" in done.stderr
