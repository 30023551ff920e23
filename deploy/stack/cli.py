"""The commands of ./run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import environment, frontend
from .console import StackError, Steps, Stopped, explain_os_error, say
from .environment import PYTHON
from .paths import ROOT, data_directory
from .session import Session, Wish, session
from .variables import external_servers

HELP = """\
Usage: ./run COMMAND [arguments]

  up              set up, start the site and keep it running until Ctrl-C
  demo [args]     start the site, run the main job end to end on real data, leave the site up
                  (--no-serve: stop it at the end)
  test [args]     run the tests on real servers of their own; arguments go to pytest
  manage …        Django's manage.py, with the running stack or with servers started for it
  replay DIR …    send a recorded crowd through the running site, or through one started for it
  check …         verify the promises against the present data; with --money the books, from the transfers alone
  drill …         restore a backup beside the running site and verify it (deploy/RUNBOOK.md)
  bench …         measure on servers of its own (./run bench lists what; tests/benchmarks/README.md explains)
  torture …       break everything, again and again, and check what was promised (--help tells more)

Data lives in .data/ of the checkout, logs in .data/up/logs/. Variables:
  TOUCHSTONE_DATA                       another data directory
  TOUCHSTONE_PORT, TOUCHSTONE_LIVE_PORT ports of the site (default: 8000 and the next, or the next free ones)
  TOUCHSTONE_PG                         major version of the embedded PostgreSQL for a new data directory: 18 or 16
  DATABASE_URL, DATABASE_OWNER_URL      your own PostgreSQL 16+ (runtime and owner role) instead of the embedded one
  REDIS_URL                             your own Redis or Valkey instead of the embedded one
"""

STAFF = "staff@touchstone.local"


@dataclass(frozen=True)
class Command:
    """How a command of ./run is set up: its lock file, and how many progress steps it has at most."""

    lock: str
    steps: int
    run: Callable[[list[str], Steps], int]


def main(argv: Sequence[str]) -> int:
    """Run one command; its exit code. Whatever the person can put right is one sentence, never a traceback."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        sys.stdout.write(HELP)
        return 0
    command = COMMANDS.get(argv[0])
    if command is None:
        say(f"There is no command {argv[0]!r}. ./run without arguments lists them.")
        return 2
    try:
        environment.enter(command.lock, list(argv), progress=f"1/{command.steps}")
        frontend.provide(progress=f"1/{command.steps}")
        return command.run(list(argv[1:]), Steps(command.steps, done=1))
    except StackError as error:
        say(str(error))
        return 1
    except (Stopped, KeyboardInterrupt):
        say("Stopped.")
        return 130
    except OSError as error:
        if os.environ.get("TOUCHSTONE_DEBUG"):
            traceback.print_exc()
        say(explain_os_error(error))
        return 1


def up(arguments: list[str], steps: Steps) -> int:
    """Start everything and keep it running."""
    if arguments:
        raise StackError("./run up takes no arguments; ports and directories are set by variables (./run lists them).")
    with session(Wish("up", settings=_settings(), site=True, migrated=True, joins=False), steps) as ready:
        say("")
        print(
            f"Touchstone runs at {ready.stack.base_url} (logs: {Path(ready.stack.data) / 'logs'}). Ctrl-C stops it.",
            flush=True,
        )
        ready.supervisor.watch()
        say("Stopping …")
    return 0


def test(arguments: list[str], steps: Steps) -> int:
    """Run pytest on servers of its own. A second one at the same time gets the next directory."""
    names = ("test", "test-2", "test-3", "test-4")
    with session(Wish("test", names, settings="marketplace.settings.test", joins=False), steps) as ready:
        return ready.supervisor.foreground([PYTHON, "-m", "pytest", *arguments], env=ready.env, cwd=ROOT)


def manage(arguments: list[str], steps: Steps) -> int:
    """Run manage.py in the caller's own directory."""
    with session(Wish("manage", settings=_settings()), steps) as ready:
        return ready.supervisor.foreground([PYTHON, ROOT / "manage.py", *arguments], env=ready.env)


def check(arguments: list[str], steps: Steps) -> int:
    """Verify the promises against the data."""
    with session(Wish("check", settings=_settings(), migrated=True), steps) as ready:
        special = {"--money": "check_money", "--log": "check_log"}
        what = next((special[argument] for argument in arguments if argument in special), "check_promises")
        rest = [argument for argument in arguments if argument not in special]
        return ready.supervisor.foreground([PYTHON, ROOT / "manage.py", what, *rest], env=ready.env)


def drill(arguments: list[str], steps: Steps) -> int:
    """Restore a backup, of the present data or the one that is named, and verify what came back."""
    argv: list[str | Path] = [PYTHON, ROOT / "deploy" / "restore_drill.py", *arguments]
    if any(argument in ("-h", "--help") or argument.startswith("--backup") for argument in arguments):
        return subprocess.run(argv, env=_with_checkout(os.environ), check=False).returncode
    with session(Wish("drill", settings=_settings(), migrated=True), steps) as ready:
        return ready.supervisor.foreground(argv, env=_with_checkout(ready.env))


def replay(arguments: list[str], steps: Steps) -> int:
    """Send a recorded crowd through the site."""
    with session(Wish("replay", settings=_settings(), site=True, migrated=True), steps) as ready:
        return _crowd("tests.crowd.replay", arguments, ready)


def torture(arguments: list[str], steps: Steps) -> int:
    """Break a stack of its own in a directory of its own, whatever else runs in this checkout."""
    from tests.torture.options import parse  # a wrong command line ends here, before anything is started

    module: list[str | Path] = [PYTHON, "-P", "-m", "tests.torture"]
    if not parse(arguments).needs_stack:
        return subprocess.run([*module, *arguments], env=_with_checkout(os.environ), check=False).returncode
    if any(external_servers()):
        raise StackError("./run torture kills its servers: unset DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL.")
    for port in ("TOUCHSTONE_PORT", "TOUCHSTONE_LIVE_PORT"):
        os.environ.pop(port, None)  # they are the site's
    if os.environ.get("TOUCHSTONE_DATA"):
        # Everything in it is removed, so it must not be one that somebody has things in.
        os.environ["TOUCHSTONE_DATA"] = str(data_directory("torture") / "torture")
    # In every process of the site, from its first moment: the clock that can jump, and the mutants.
    os.environ["PYTHONPATH"] = str(ROOT / "tests" / "torture" / "hooks")
    wish = Wish(
        "torture",
        ("torture", "torture-2", "torture-3"),
        settings="marketplace.settings.test",
        site=True,
        migrated=True,
        joins=False,
        fresh=True,
        longest_pause=0.2,
    )
    with session(wish, steps) as ready:
        return ready.supervisor.foreground([*module, *arguments], env={**ready.env, "PYTHONPATH": str(ROOT)}, cwd=ROOT)


def demo(arguments: list[str], steps: Steps) -> int:
    """Run the main job end to end and leave the site up."""
    serve = "--no-serve" not in arguments
    passed = [argument for argument in arguments if argument != "--no-serve"]
    with session(Wish("demo", settings=_settings(), site=True, migrated=True), steps) as ready:
        code = _crowd("tests.crowd.demo", passed, ready)
        if code == 0 and serve and ready.owned and not ready.supervisor.asked_to_stop:
            say(f"The site stays up at {ready.stack.base_url}. Ctrl-C stops it.")
            ready.supervisor.watch()
        if ready.owned:
            say("Stopping …")
        return code


# As in the measurements of peers and floors that the results are compared with.
BENCH_POSTGRES = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "300",
}
BENCH_WITH_SITE = ("assign", "fair", "import", "export", "peers", "servers", "live", "soak", "slow", "pages")


def bench(arguments: list[str], steps: Steps) -> int:
    """Run a benchmark on a stack of its own in a data directory of its own."""
    if any(external_servers()):
        raise StackError("./run bench starts its own servers: unset DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL.")
    names = ("bench", "bench-2")
    what = arguments[0] if arguments else ""
    wish = Wish(
        "bench",
        names,
        settings="marketplace.settings.dev",
        site=what in BENCH_WITH_SITE,
        migrated=True,
        joins=False,
        fresh=True,
        postgres=BENCH_POSTGRES,
    )
    argv: list[str | Path] = [PYTHON, "-P", "-m", "tests.benchmarks", *arguments]
    if what in ("", "-h", "--help", "aggregation") or {"-h", "--help"} & set(arguments):
        return subprocess.run([*argv], env=_with_checkout(os.environ), check=False).returncode
    with session(wish, steps) as ready:
        return ready.supervisor.foreground(argv, env=_with_checkout(ready.env))


def _with_checkout(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program that imports from the checkout without running in it."""
    return {**env, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))}


def _crowd(module: str, arguments: list[str], ready: Session) -> int:
    """Run a program of the simulated crowd against the site, as staff, from the caller's own directory."""
    env = {**ready.env, "TOUCHSTONE_STAFF_KEY": _staff_key(ready), "TOUCHSTONE_BASE_URL": ready.stack.base_url}
    # -P keeps a folder named `tests` in the caller's directory from being taken for ours.
    argv: list[str | Path] = [PYTHON, "-P", "-m", module, "--base-url", ready.stack.base_url, *arguments]
    return ready.supervisor.foreground(argv, env=_with_checkout(env))


def _staff_key(ready: Session) -> str:
    argv: list[str | Path] = [PYTHON, ROOT / "manage.py", "staff_key", "--email", STAFF]
    code, text = ready.supervisor.captured(argv, env=ready.env, cwd=ROOT)
    for line in reversed(text.splitlines() if code == 0 else []):
        try:
            return str(json.loads(line)["key"])
        except (ValueError, KeyError, TypeError):
            continue
    ready.supervisor.refuse_if_stopped()
    raise StackError("`manage.py staff_key` gave no key; what it said is above.")


def _settings() -> str:
    return os.environ.get("DJANGO_SETTINGS_MODULE") or "marketplace.settings.dev"


COMMANDS = {
    "up": Command("requirements.lock", 5, up),
    "demo": Command("requirements-demo.lock", 5, demo),
    "test": Command("requirements-dev.lock", 3, test),
    "manage": Command("requirements.lock", 3, manage),
    "replay": Command("requirements.lock", 5, replay),
    "check": Command("requirements.lock", 4, check),
    "drill": Command("requirements.lock", 4, drill),
    "bench": Command("requirements.lock", 5, bench),
    "torture": Command("requirements.lock", 5, torture),
}
