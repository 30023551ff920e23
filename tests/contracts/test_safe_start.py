"""It refuses to start unsafe, and says why (R35): each bad configuration ends with its name, and a good one starts."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import global_settings

from marketplace.common.boot import RIGHTS, RULES, role_refusal, unsafe
from tests.conftest import ROOT, owner_connection

LONG = "rN7vQ2xKp9LmT4wZs8YcB3hJd6GfA1eUoR5iVnXyWqEt0MkD"
KEY = f"{LONG}-{LONG[::-1]}"
# What an operator gives. Database and Redis are those of the tests: by sockets, in roles of their own.
GOOD = {
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "market.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://market.example.org",
    "TOUCHSTONE_LIVE_URL": "wss://market.example.org",
    "EMAIL_URL": "smtp+tls://post:letters@mail.example.org:587",
    "TOUCHSTONE_PROXIES": "1",
}
NETWORK = "postgresql://app{}@db.example.org/market"
# What is wrong in the environment, by the name of the reason.
BAD_VALUES: list[tuple[str, dict[str, str]]] = [
    ("secret-key-weak", {"SECRET_KEY": "short"}),
    ("secret-key-weak", {"SECRET_KEY": "ab" * 40}),
    ("secret-key-placeholder", {"SECRET_KEY": f"django-insecure-{LONG}"}),
    ("secret-key-placeholder", {"SECRET_KEY": f"change-me-{LONG}"}),
    ("secret-key-fallbacks-weak", {"SECRET_KEY_FALLBACKS": "old"}),
    ("secret-key-not-rotated", {"SECRET_KEY": KEY, "SECRET_KEY_FALLBACKS": KEY}),
    ("any-host", {"ALLOWED_HOSTS": "*"}),
    ("any-host", {"ALLOWED_HOSTS": "market.example.org,."}),
    ("any-origin", {"CSRF_TRUSTED_ORIGINS": "https://*"}),
    ("any-origin", {"TOUCHSTONE_LIVE_ORIGINS": "*"}),
    ("plain-origin", {"CSRF_TRUSTED_ORIGINS": "http://market.example.org"}),
    ("plain-origin", {"TOUCHSTONE_LIVE_ORIGINS": "http://market.example.org"}),
    ("plain-sockets", {"TOUCHSTONE_LIVE_URL": "ws://market.example.org:8001"}),
    ("open-database", {"DATABASE_URL": NETWORK.format("")}),
    ("database-owner", {"DATABASE_URL": NETWORK.format(":pw"), "DATABASE_OWNER_URL": NETWORK.format(":pw")}),
    ("open-redis", {"REDIS_URL": "redis://cache.example.org:6379/0"}),
    ("mail-nowhere", {"EMAIL_URL": "consolemail://"}),
    ("mail-nowhere", {"EMAIL_URL": "dummymail://"}),
    ("egress-exceptions", {"TOUCHSTONE_EGRESS_ALLOW": "127.0.0.1:8443"}),
    ("egress-exceptions", {"TOUCHSTONE_EGRESS_CA_FILE": "ca.pem"}),
    ("payout-trials", {"TOUCHSTONE_PAYOUT_TEST_URL": "http://127.0.0.1:9"}),
    ("plain-provider", {"TOUCHSTONE_PAYPAL_API_BASE": "http://127.0.0.1:9"}),
    ("proxies", {"TOUCHSTONE_PROXIES": "-1"}),
]  # fmt: skip
# What somebody's own settings may undo who starts from ours.
BAD_SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("debug", {"DEBUG": True}),
    ("debug", {"DEBUG_PROPAGATE_EXCEPTIONS": True}),
    ("made-for-trials", {"DESIGN_PAGE": True}),
    ("plain-cookies", {"SESSION_COOKIE_SECURE": False}),
    ("plain-cookies", {"CSRF_COOKIE_SECURE": False}),
    ("readable-cookies", {"SESSION_COOKIE_HTTPONLY": False}),
    ("plain-http", {"SECURE_SSL_REDIRECT": False}),
    ("plain-http", {"SECURE_HSTS_SECONDS": 60}),
    ("loose-policy", {"CONTENT_SECURITY_POLICY": {"DIRECTIVES": {"script-src": ["'self'", "'unsafe-inline'"]}}}),
    ("weak-hasher", {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]}),
    ("any-password", {"AUTH_PASSWORD_VALIDATORS": []}),
    ("pickled-tasks", {"CELERY_ACCEPT_CONTENT": ["json", "pickle"]}),
]


def run(*argv: str, settings: str = "marketplace.settings.prod", path: Path | None = None, **env: str) -> Any:
    """A process of the site with a good environment but for what is given."""
    whole = {**_outer(), **GOOD, "DJANGO_SETTINGS_MODULE": settings, **env}
    if path is not None:
        whole["PYTHONPATH"] = f"{path}{os.pathsep}{ROOT}"
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, env=whole, capture_output=True, text=True, timeout=120, check=False
    )


def _outer() -> dict[str, str]:
    """The environment without what it says of another site."""
    return {name: text for name, text in os.environ.items() if not name.startswith("TOUCHSTONE_")}


def check(**given: Any) -> Any:
    return run("manage.py", "check", "--deploy", "--fail-level", "ERROR", **given)


def settings_of(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], **changes: Any) -> Any:
    """The settings of production as they would be in such an environment."""
    for name in set(os.environ) - set(_outer()):
        monkeypatch.delenv(name)
    for name, text in (GOOD | env).items():
        monkeypatch.setenv(name, text)
    for name in ("marketplace.settings.base", "marketplace.settings.prod"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    made = importlib.import_module("marketplace.settings.prod")
    return SimpleNamespace(**{**_values(global_settings), **_values(made), **changes})


def _values(module: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name.isupper()}


def named(found: Any) -> set[str]:
    return {one.name for one in found}


def test_a_good_configuration_is_clean_and_starts() -> None:
    ended = check()
    assert ended.returncode == 0, ended.stderr
    # Django itself has nothing against it, nor have we.
    assert "(security." not in ended.stderr
    assert "(touchstone." not in ended.stderr
    started = run("-c", "import marketplace.wsgi")
    assert started.returncode == 0, started.stderr


def test_nothing_is_found_in_a_good_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unsafe(settings_of(monkeypatch, {})) == []
    # One machine by itself, as ./run has it, is good too.
    alone = {
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]", "CSRF_TRUSTED_ORIGINS": "",
        "TOUCHSTONE_LIVE_URL": "ws://127.0.0.1:9", "TOUCHSTONE_LIVE_ORIGINS": "http://localhost:9,http://[::1]:9",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
    }  # fmt: skip
    assert unsafe(settings_of(monkeypatch, alone)) == []


@pytest.mark.parametrize(("name", "env"), BAD_VALUES)
def test_each_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, env: dict[str, str]) -> None:
    assert named(unsafe(settings_of(monkeypatch, env))) == {name}


@pytest.mark.parametrize(("name", "changes"), BAD_SETTINGS)
def test_each_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, changes: dict[str, Any]) -> None:
    assert named(unsafe(settings_of(monkeypatch, {}, **changes))) == {name}


def test_every_rule_has_an_example_here(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = set(RULES)
    for env, changes in [*((env, {}) for _, env in BAD_VALUES), *(({}, changes) for _, changes in BAD_SETTINGS)]:
        with monkeypatch.context() as own:
            settings = settings_of(own, env, **changes)
            silent -= {rule for rule in silent if [*rule(settings)]}
    assert silent == set()


def together() -> list[dict[str, dict[str, str]]]:
    """What is wrong in the environment, one of each name, so many at once as have variables of their own."""
    runs: list[dict[str, dict[str, str]]] = []
    for name, env in {name: (name, env) for name, env in BAD_VALUES}.values():
        free = (run for run in runs if not any(env.keys() & other.keys() for other in run.values()))
        run = next(free, None)
        if run is None:
            runs.append(run := {})
        run[name] = env
    return runs


# Each costs a process.
@pytest.mark.parametrize("wrong", together(), ids=", ".join)
def test_the_check_of_a_deployment_ends_with_the_names_of_all_reasons(wrong: dict[str, dict[str, str]]) -> None:
    ended = check(**{variable: text for env in wrong.values() for variable, text in env.items()})
    assert ended.returncode != 0
    assert [name for name in wrong if f"(touchstone.{name})" not in ended.stderr] == [], ended.stderr


@pytest.mark.parametrize("variable", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_what_cannot_be_guessed_has_no_default(variable: str) -> None:
    env = {name: text for name, text in {**_outer(), **GOOD}.items() if name != variable}
    env["DJANGO_SETTINGS_MODULE"] = "marketplace.settings.prod"
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert f"Set the {variable} environment variable" in ended.stderr


PROCESSES = {
    "web": "import marketplace.wsgi",
    "live": "import marketplace.asgi",
    "worker": "from marketplace.celery import app\napp.worker_main(['worker', '--pool', 'solo', '-Q', 'none'])",
    "beat": "from marketplace.celery import app\napp.start(['beat', '--schedule', 'none'])",
    "relay": "import django\ndjango.setup()\nfrom django.core.management import call_command\ncall_command('relay')",
}


@pytest.mark.parametrize("program", PROCESSES.values(), ids=PROCESSES.keys())
def test_no_process_that_serves_starts_and_each_says_why(tmp_path: Path, program: str) -> None:
    (tmp_path / "careless.py").write_text("from marketplace.settings.prod import *\nDEBUG = True\n")
    ended = run("-c", program, settings="careless", path=tmp_path, ALLOWED_HOSTS="*")
    assert ended.returncode == 1, ended.stderr
    told = [line for line in ended.stderr.splitlines() if line.startswith("Touchstone does not start: ")]
    assert [line.rpartition(" ")[2] for line in told] == ["[debug]", "[any-host]"]
    assert "Traceback" not in ended.stderr


def test_a_role_that_no_guard_binds_is_refused_in_production_and_out_of_it() -> None:
    assert role_refusal(False, False) is None
    assert role_refusal(False, True) is not None
    parts = urlsplit(os.environ["DATABASE_URL"])
    as_superuser = parts._replace(netloc="postgres@").geturl()
    for settings in ("marketplace.settings.prod", "marketplace.settings.dev"):
        ended = run("-c", "import marketplace.wsgi", settings=settings, DATABASE_URL=as_superuser)
        assert ended.returncode == 1, ended.stderr
        assert "is a superuser" in ended.stderr
        assert ended.stderr.strip().endswith("[database-role]")
    assert "(touchstone.database-role)" in check(DATABASE_URL=as_superuser).stderr


def test_a_role_that_bypasses_row_level_security_is_refused() -> None:
    """The servers of the tests let nobody in by another name, so the role is taken behind the door."""
    with owner_connection(user="postgres") as superuser:
        superuser.execute(f"CREATE ROLE bypassing_{os.getpid()} BYPASSRLS IN ROLE touchstone_app")
        try:
            superuser.execute(f"SET ROLE bypassing_{os.getpid()}")
            found = superuser.execute(RIGHTS).fetchone()
        finally:
            superuser.execute(f"RESET ROLE; DROP ROLE bypassing_{os.getpid()}")
    assert found == (False, True)
    refused = role_refusal(*found)
    assert refused is not None
    assert "bypasses row-level security" in refused.sentence
