"""Label Studio as a service of work: the next task of a project, then its annotation, by its own API.

Deployed as its image does it: uWSGI with two processes a core and PostgreSQL with contrib, which its migrations need.
Two departures in its favour: no limit on the time of a request, and no "cheaper" mode, which ends and starts processes
between the runs. Telemetry and checks for versions are off, so that all traffic stays on this machine.
"""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.environments import environment, versions
from tests.benchmarks.load import Meter, Script, request_bytes
from tests.benchmarks.peers.database import SystemPostgres
from tests.benchmarks.report import progress
from tests.benchmarks.serving import data_directory, free_port, serving

PACKAGES = ["label-studio==1.23.2", "uwsgi==2.0.31"]
CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="label" toName="text" choice="single">'
    '<Choice value="positive"/><Choice value="negative"/><Choice value="neutral"/></Choices></View>'
)
RESULT = [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["positive"]}}]
IMPORTED_AT_ONCE = 10_000
# Inside Label Studio's interpreter: an organisation with members, and their keys.
SETUP = """
import json, sys, django
django.setup()
from django.contrib.auth import get_user_model
from rest_framework.authtoken.models import Token
from organizations.models import Organization
User = get_user_model()
users = [User.objects.create_user(email=f"u{i}@bench.test", username=f"u{i}", password="x")
         for i in range(int(sys.argv[1]))]
organization = Organization.create_organization(created_by=users[0], title="bench")
for user in users:
    if user is not users[0]:
        organization.add_user(user)
    user.active_organization = organization
    user.save(update_fields=["active_organization"])
organization.jwt.legacy_api_tokens_enabled = True
organization.jwt.save()
print("TOKENS " + json.dumps([Token.objects.get_or_create(user=user)[0].key for user in users]))
"""


class LabelStudio:
    """A running Label Studio."""

    name = "label_studio"

    def __init__(self, port: int, pid: int, tokens: list[str], database: SystemPostgres, installed: Any) -> None:
        self.port = port
        self.versions = {**installed, "postgres": database.version}
        self.roots = {"web": pid, "postgres": database.pid}
        self._tokens = tokens

    def batch(self, tasks: int, overlap: int) -> int:
        """A project with that many tasks; its id."""
        made = self._post("/api/projects/", {"title": "bench", "label_config": CONFIG, "maximum_annotations": overlap})
        rows = [{"text": f"task {n} " + "lorem ipsum dolor sit amet " * 6, "n": n} for n in range(tasks)]
        for start in range(0, tasks, IMPORTED_AT_ONCE):
            self._post(f"/api/projects/{made['id']}/import", rows[start : start + IMPORTED_AT_ONCE])
        return int(made["id"])

    def scripts(self, meter: Meter, batch: int, clients: int) -> list[Script]:
        """One annotator a client."""
        return [self._annotate(meter, token, batch) for token in self._tokens[1 : clients + 1]]

    def _annotate(self, meter: Meter, token: str, project: int) -> Script:
        headers = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Token {token}"}
        asked = request_bytes("GET", f"/api/projects/{project}/next", headers)
        answer = json.dumps({"result": RESULT, "lead_time": 3.5, "project": project}).encode()
        while not meter.over:
            reply = yield "claim", asked
            if reply.status == 404:
                return
            if reply.status != 200:
                meter.error(f"next {reply.status}")
                continue
            task = json.loads(reply.body)["id"]
            path = f"/api/tasks/{task}/annotations/"
            reply = yield "submit", request_bytes("POST", path, headers | {"Content-Type": "application/json"}, answer)
            if reply.status == 201:
                meter.count("answers")
            else:
                meter.error(f"submit {reply.status}")

    def _post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Token {self._tokens[0]}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=1200) as reply:
            return json.load(reply)


@contextmanager
def label_studio(users: int) -> Iterator[LabelStudio]:
    """Install, migrate, start. Raises `NotInstallable`, `NoSystemPostgres`."""
    binaries = environment("label-studio", PACKAGES)
    with ExitStack() as stack:
        database = stack.enter_context(SystemPostgres.started())
        database.create("label_studio")
        package = _package(binaries)
        env = _env(database)
        progress("Migrating Label Studio (minutes) …")
        _inside(binaries, ["manage.py", "migrate", "--no-color", "-v0"], package, env)
        told = _inside(binaries, ["-c", SETUP, str(users + 1)], package, env)
        tokens = next(json.loads(line[7:]) for line in told.splitlines() if line.startswith("TOKENS "))
        port = free_port()
        workers = 2 * (os.cpu_count() or 1)
        argv: list[str | Path] = [binaries / "uwsgi", "--http", f"127.0.0.1:{port}", "--module"]
        argv += ["core.wsgi:application", "--chdir", package, "--virtualenv", binaries.parent, "--master"]
        argv += ["--single-interpreter", "--processes", str(workers), "--threads", "1", "--die-on-term"]
        argv += ["--buffer-size", "65535", "--http-timeout", "1200", "--need-app", "--ignore-sigpipe"]
        argv += ["--ignore-write-errors", "--disable-write-exception", "--post-buffering", "4096"]
        argv += ["--disable-logging", "--enable-threads", "--thunder-lock", "--lazy-apps", "--max-requests", "5000"]
        log = data_directory() / "logs" / "label-studio.log"

        def loaded() -> bool:
            # Every process loads the application by itself; the port is there before.
            return log.read_text(errors="replace").count("WSGI app 0") >= workers

        pid = stack.enter_context(serving("label-studio", argv, port=port, env=env, cwd=package, ready=loaded))
        yield LabelStudio(port, pid, tokens, database, versions(binaries, ["label-studio", "django", "uwsgi"]))


def _package(binaries: Path) -> Path:
    code = "import importlib.util as u; print(u.find_spec('label_studio').submodule_search_locations[0])"
    done = subprocess.run([binaries / "python", "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def _inside(binaries: Path, arguments: list[str], package: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [str(binaries / "python"), *arguments],
        cwd=package,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Label Studio: {done.stderr[-2000:]}")
    return done.stdout


def _env(database: SystemPostgres) -> dict[str, str]:
    return {
        "DJANGO_DB": "default",
        "POSTGRE_NAME": "label_studio",
        "POSTGRE_USER": "postgres",
        "POSTGRE_PASSWORD": "",
        "POSTGRE_HOST": str(database.sockets),
        "POSTGRE_PORT": "5432",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_directory() / "label-studio"),
        "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "COLLECT_ANALYTICS": "0",
        "collect_analytics": "0",
        "LATEST_VERSION_CHECK": "0",
        "DEBUG": "0",
        "LOG_LEVEL": "ERROR",
        "SECRET_KEY": "bench",
        "APP_WEBSERVER": "uwsgi",
        "PYTHONPATH": "",
    }
