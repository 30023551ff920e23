"""What is in deploy/ fits the program: its variables, its processes, its addresses. Docker itself is not needed."""

import ast
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from deploy.healthcheck import answers
from deploy.stack import site
from deploy.stack.environment import PYTHON, pins
from deploy.stack.paths import ROOT
from deploy.stack.postgres import APP, DATABASE, OWNER, SETTINGS
from marketplace.common.prepared import KEPT_MAX
from marketplace.settings import base
from tests.stack.harness import free_port
from workers.live import metrics
from workers.live.metrics import LATE_S

DEPLOY = ROOT / "deploy"
ASSIGNED = re.compile(r"^(# )?([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)
USED = re.compile(r"\$\{([A-Z][A-Z0-9_]+)(?:(:[-?])([^}]*))?\}")
# Passwords of the servers, which no process of the site has to know.
FOR_SERVERS = {"POSTGRES_PASSWORD", "TOUCHSTONE_OWNER_PASSWORD", "TOUCHSTONE_BACKUP_PASSWORD"}
SITE = ("web", "live", "relay", "worker", "beat")


def read_by_settings() -> dict[str, str | None]:
    """Every variable that a settings module reads, with its default as it would be written; None without one."""
    found: dict[str, str | None] = {}
    for module in sorted((ROOT / "marketplace" / "settings").glob("*.py")):
        for call in ast.walk(ast.parse(module.read_text())):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if not (isinstance(call.func.value, ast.Name) and call.func.value.id == "env") or not call.args:
                continue
            if not isinstance(call.args[0], ast.Constant):
                continue
            given = [keyword.value for keyword in call.keywords if keyword.arg == "default"]
            found[call.args[0].value] = _written(given[0]) if given else None
    return found


def _written(default: ast.expr) -> str:
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return ""  # another setting
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def in_example() -> dict[str, tuple[bool, str]]:
    """Name → whether it is commented out, and its value."""
    text = (DEPLOY / "env.example").read_text()
    found = {name: (bool(comment), value) for comment, name, value in ASSIGNED.findall(text)}
    assert len(found) == len(ASSIGNED.findall(text)), "a variable is there twice"
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def used_by_compose() -> dict[str, str | None]:
    """Variables of compose.yaml with their defaults."""
    found = USED.findall((DEPLOY / "compose.yaml").read_text())
    return {name: value if kind == ":-" else None for name, kind, value in sorted(found, key=lambda use: use[1])}


def test_the_walk_over_the_settings_finds_what_they_read() -> None:
    found = read_by_settings()
    assert found["SECRET_KEY"] is None
    assert found["TOUCHSTONE_APPEAL_DAYS"] == "7"
    assert found["TOUCHSTONE_EGRESS_PORTS"] == "443,8443"
    # Nothing reads the environment by another way.
    for folder in ("marketplace", "workers"):
        for path in (ROOT / folder).rglob("*.py"):
            reads = set(re.findall(r"os\.environ(?:\.get\(|\[)[\"'](\w+)|getenv\([\"'](\w+)", path.read_text()))
            assert not reads, f"{path} reads {reads}"
    assert len(found) > 40


def test_every_variable_is_in_the_example_and_none_that_nobody_reads() -> None:
    read, example, used = read_by_settings(), in_example(), used_by_compose()
    assert set(read) - set(example) == set(), "missing from env.example"
    assert set(used) - set(example) == set(), "missing from env.example"
    assert set(example) - set(read) - set(used) == set(), "nobody reads them"


def test_the_example_shows_the_defaults_as_they_are() -> None:
    known = {**used_by_compose(), **read_by_settings()}
    for name, (commented, value) in in_example().items():
        if not commented:
            assert value == "", f"{name} must be filled in by whoever runs the site"
        elif known[name] is not None:
            assert value == known[name], name


def test_what_must_be_given_is_not_commented_out() -> None:
    asked = {name for name, (commented, _) in in_example().items() if not commented}
    made_by_compose = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"}
    required = {name for name, default in read_by_settings().items() if default is None}
    assert required - asked == made_by_compose
    without_default = {name for name, default in used_by_compose().items() if default is None}
    assert without_default <= asked


def test_every_process_of_run_is_a_service_with_the_same_command(compose: dict[str, Any]) -> None:
    answering, working = site.processes({}, Path("/data"), 8000, 8001)
    for process in (*answering, *working):
        # Of some there are several alike.
        name = next((kind for kind in ("live", "relay") if process.name.startswith(kind)), process.name)
        service = compose["services"][name]
        assert plain(service["command"]) == plain([str(part) for part in process.argv])
    for kind, among in (("live", answering), ("relay", working)):
        assert compose["services"][kind]["deploy"]["replicas"] == len([p for p in among if kind in p.name])
    image = (DEPLOY / "Dockerfile").read_text()
    command = re.search(r"^CMD (\[\"python\".*?\])", image.replace("\\\n", ""), re.MULTILINE)
    assert command
    assert plain(yaml.safe_load(command[1])) == plain(compose["services"]["web"]["command"])


def plain(argv: list[str]) -> list[str]:
    """A command without what differs from place to place: the interpreter, addresses, and how many."""
    words = ["python" if word == str(PYTHON) else word for word in argv]
    words = [word.removeprefix(f"{ROOT}/") for word in words]
    for option in ("--host", "--port", "--workers", "--concurrency"):
        if option in words:
            words[words.index(option) + 1] = "…"
    return words


def test_every_command_of_a_service_exists(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        argv = service.get("command", [])
        if argv[:2] == ["python", "manage.py"]:
            assert argv[2] in get_commands(), name
        if service.get("build", {}).get("target"):
            assert f" AS {service['build']['target']}\n" in (DEPLOY / "Dockerfile").read_text(), name


def test_the_site_runs_as_nobody_special_and_can_write_nowhere(compose: dict[str, Any]) -> None:
    for name in (*SITE, "migrate", "nginx"):
        service = compose["services"][name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
    image = (DEPLOY / "Dockerfile").read_text()
    site_target = image.partition(" AS site\n")[2].partition("\nFROM ")[0]
    assert "\nUSER 10001:10001\n" in site_target
    assert "--require-hashes" in image


def test_only_migrations_know_the_owner_and_only_nginx_is_reached_from_outside(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in SITE:
        environment = services[name]["environment"]
        assert {environment[secret] for secret in FOR_SERVERS} == {""}, name
        assert "OWNER_PASSWORD" not in environment["DATABASE_OWNER_URL"], name
        assert environment["DATABASE_URL"].endswith("@pgbouncer:6432/touchstone"), name
        assert environment["DJANGO_SETTINGS_MODULE"] == "marketplace.settings.prod", name
    assert "${TOUCHSTONE_OWNER_PASSWORD}" in services["migrate"]["environment"]["DATABASE_OWNER_URL"]
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert compose["networks"]["data"] == {"internal": True}
    assert [name for name, service in services.items() if "data" not in service["networks"]] == ["nginx"]


def test_only_files_of_tasks_may_be_large() -> None:
    text = (DEPLOY / "nginx.conf").read_text()
    places = re.findall(r"^        location (.+?) \{\n(.*?)^        \}", text, re.MULTILINE | re.DOTALL)
    (large,) = [place for place, body in places if "client_max_body_size" in body]
    assert re.findall(r"^ +client_max_body_size (\w+);", text, re.MULTILINE) == ["4m", "1g"]
    route = re.compile(large.removeprefix("~ "))
    one = "/0b8f6a3e-0000-4000-8000-000000000000"
    for taken in ("imports", "imports/preview"):
        assert route.search(f"/api/v1/batches{one}/{taken}"), taken
    for other in (
        f"/console/batches{one}/setup/items/", f"/console/projects{one}/data/", f"/console{one}/people/",
        f"/api/v1/batches{one}/imports/cancel", f"/api/v1/batches{one}/items", f"/console/api/v1/batches{one}/imports",
    ):  # fmt: skip
        assert not route.search(other), other


def test_what_is_large_is_kept_on_a_disk_and_not_in_memory(compose: dict[str, Any]) -> None:
    image = (DEPLOY / "Dockerfile").read_text()
    for name in SITE:
        service = compose["services"][name]
        folder = service["environment"]["TMPDIR"]
        assert f"spool:{folder}" in service["volumes"], name
        assert f"install -d -m 0700 -o touchstone -g touchstone {folder}\n" in image
        assert all(not one.startswith(folder) for one in service["tmpfs"]), name
    assert "spool" in compose["volumes"]


def test_the_image_has_every_library_that_a_file_may_need() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {*told["dependencies"], *told["optional-dependencies"]["parquet"]}
    locked = {
        name: pins(ROOT / name) for name in ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock")
    }
    for need in wanted:
        name = re.match(r"[\w.-]+", need)
        assert name
        versions = {lock: found.get(name[0].lower()) for lock, found in locked.items()}
        assert len(set(versions.values())) == 1, (need, versions)
        assert versions["requirements.lock"], need
    image = (DEPLOY / "Dockerfile").read_text()
    assert "install --require-hashes --no-deps --only-binary :all: -r requirements.lock" in image
    assert "pyarrow" not in " ".join(re.findall(r"pip uninstall --yes (.+)$", image, re.MULTILINE))


def test_the_database_keeps_what_it_confirms_and_its_log(compose: dict[str, Any]) -> None:
    given = dict(word[2:].split("=", 1) for word in compose["services"]["postgres"]["command"][1:])
    assert given["archive_mode"] == "on"
    assert not {"fsync", "full_page_writes", "synchronous_commit"} & set(given), "on, as they are by default"
    assert given["max_connections"] == SETTINGS["max_connections"]
    roles = (DEPLOY / "postgres-roles.sh").read_text()
    for needed in (f"CREATE ROLE {OWNER} LOGIN CREATEROLE", f"CREATE ROLE {APP} LOGIN PASSWORD", "BUILTIN_LOCALE"):
        assert needed in roles
    assert f"CREATE DATABASE {DATABASE} OWNER {OWNER}" in roles


def test_what_a_pool_cannot_pass_on_is_set_on_the_role() -> None:
    options = base.database("postgresql://somebody@/there")["OPTIONS"]["options"]
    asked = dict(word.split("=", 1) for word in shlex.split(options) if word != "-c")
    on_role = dict(
        re.findall(
            rf"ALTER ROLE {APP} SET (\w+) = '?(\w+)'?;",
            (DEPLOY / "postgres-roles.sh").read_text(),
        )
    )
    assert on_role == asked
    pool = dict(
        line.split(" = ", 1)
        for line in (DEPLOY / "pgbouncer.ini").read_text().splitlines()
        if " = " in line and not line.startswith(";")
    )
    assert pool["pool_mode"] == "transaction"
    assert "options" in pool["ignore_startup_parameters"].split(", ")
    assert int(pool["max_prepared_statements"]) >= KEPT_MAX
    spare = int(SETTINGS["max_connections"]) - int(pool["default_pool_size"]) - int(pool["reserve_pool_size"])
    assert spare >= 20


def test_a_process_that_does_not_answer_is_unhealthy() -> None:
    assert not answers(free_port(), "/health/")


def test_every_file_of_the_image_is_there_and_reaches_the_builder() -> None:
    image = (DEPLOY / "Dockerfile").read_text()
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", image, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(f"!{part}" in sent for part in (source, str(Path(source).parent))), source
    for line in sent:
        if line.startswith("!"):
            assert (ROOT / line[1:]).exists(), line


def test_figures_that_the_runbook_looks_at_exist() -> None:
    calls = [call for call in ast.walk(ast.parse(Path(metrics.__file__).read_text())) if isinstance(call, ast.Call)]
    told = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in ("gauge", "gauges", "_payouts")
        if isinstance(call.args[0], ast.Constant)
    }
    assert "open_places" in told
    rows = re.findall(r"^\| (`[a-z_]+[`{].*?) \|", (DEPLOY / "RUNBOOK.md").read_text(), re.MULTILINE)
    looked_at = {name for row in rows for name in re.findall(r"`([a-z_]+)", row)}
    assert "late_seconds" in looked_at
    assert looked_at <= told
    for queue in re.findall(r'queue="(\w+)"', (DEPLOY / "RUNBOOK.md").read_text()):
        assert queue in LATE_S
