"""Turkle as a service of work: its own pages with signed-in users and "auto accept", four requests an answer.

Accept the next task, its page, the frame with the form, then the form: what a browser does, less the static files.
Deployed as its documentation says: gunicorn with two sync workers a core and one more, and PostgreSQL (the embedded).
"""

import http.cookiejar
import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.benchmarks.environments import environment, versions
from tests.benchmarks.floors import floor_env
from tests.benchmarks.load import Meter, Script, request_bytes
from tests.benchmarks.serving import free_port, serving

PACKAGES = ["turkle==3.1.0", "psycopg[binary]==3.3.9", "gunicorn==27.0.1"]
SITE = Path(__file__).resolve().parent / "turkle_site"
PASSWORD = "secret"
SETUP = """
import sys, django; django.setup()
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
User = get_user_model()
secret = make_password(sys.argv[2])
User.objects.bulk_create([User(username=f"w{i}", password=secret) for i in range(int(sys.argv[1]))])
"""
# A batch as the admin's page makes it.
BATCH = """
import sys, io, json, django; django.setup()
from turkle.models import Batch, Project
size, overlap = int(sys.argv[1]), int(sys.argv[2])
html = ('<p>${text}</p><label><input type="radio" name="label" value="positive">positive</label>'
        '<label><input type="radio" name="label" value="negative">negative</label><input type="submit">')
project = Project.objects.create(name="bench", html_template=html)
batch = Batch.objects.create(name="bench", project=project, assignments_per_task=overlap, filename="b.csv")
batch.create_tasks_from_csv(io.StringIO("text,n\\n" + "".join(
    f'"task {i} ' + "lorem ipsum dolor sit amet " * 6 + f'",{i}\\n' for i in range(size))))
print("BATCH " + json.dumps(batch.id))
"""


class Turkle:
    """A running Turkle."""

    name = "turkle"

    def __init__(self, port: int, pid: int, postgres: int, binaries: Path, env: dict[str, str], users: int) -> None:
        self.port = port
        self.roots = {"web": pid, "postgres": postgres}
        self.versions = versions(binaries, ["turkle", "django", "gunicorn"])
        self._binaries = binaries
        self._env = env
        self._cookies = [self._sign_in(number) for number in range(users)]

    def batch(self, tasks: int, overlap: int) -> int:
        """A batch with that many tasks; its id."""
        told = inside(self._binaries, self._env, ["-c", BATCH, str(tasks), str(overlap)])
        return next(int(json.loads(line[6:])) for line in told.splitlines() if line.startswith("BATCH "))

    def scripts(self, meter: Meter, batch: int, clients: int) -> list[Script]:
        """One signed-in user a client."""
        return [self._work(meter, cookies, batch) for cookies in self._cookies[:clients]]

    def _sign_in(self, number: int) -> dict[str, str]:
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        address = f"http://127.0.0.1:{self.port}/login/"
        opener.open(address, timeout=60).read()
        token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
        form = {"username": f"w{number}", "password": PASSWORD, "csrfmiddlewaretoken": token}
        opener.open(address, urllib.parse.urlencode(form).encode(), timeout=60).read()
        cookies = {cookie.name: cookie.value or "" for cookie in jar}
        assert "sessionid" in cookies, "Turkle did not let the user in"
        return cookies

    def _work(self, meter: Meter, cookies: dict[str, str], batch: int) -> Script:
        headers = {
            "Host": f"127.0.0.1:{self.port}",
            "Cookie": "; ".join(f"{name}={text}" for name, text in cookies.items()),
        }
        form_headers = headers | {"Content-Type": "application/x-www-form-urlencoded"}
        accept = request_bytes("GET", f"/batch/{batch}/accept_next_task/", headers)
        while not meter.over:
            reply = yield "claim", accept
            where = reply.header(b"location").decode()
            match = re.match(r"/task/(\d+)/assignment/(\d+)/$", where)
            if not match:
                if where == "/":
                    return
                meter.error(f"accept {reply.status}")
                continue
            page = yield "page", request_bytes("GET", where, headers)
            frame_path = f"/task/{match[1]}/assignment/iframe/{match[2]}/"
            frame = yield "frame", request_bytes("GET", frame_path, headers)
            pattern = rb'name="csrfmiddlewaretoken" value="(\w+)"'
            token = re.search(pattern, frame.body) or re.search(pattern, page.body)
            if page.status != 200 or frame.status != 200 or not token:
                meter.error(f"page {page.status} {frame.status}")
                continue
            body = urllib.parse.urlencode({"label": "positive", "csrfmiddlewaretoken": token[1].decode()}).encode()
            reply = yield "submit", request_bytes("POST", where, form_headers, body)
            if reply.status == 302:
                meter.count("answers")
            else:
                meter.error(f"submit {reply.status}")


@contextmanager
def turkle(users: int, postgres: int) -> Iterator[Turkle]:
    """Install, migrate, start; `postgres` is the process of the embedded server. Raises `NotInstallable`."""
    from django.conf import settings

    binaries = environment("turkle", PACKAGES)
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
        owner.execute("CREATE DATABASE turkle")
    # The folder alone is on the path, so that nothing of ours is imported there.
    env = {**floor_env(), "DJANGO_SETTINGS_MODULE": "turkle_settings", "PYTHONPATH": str(SITE)}
    inside(binaries, env, ["-m", "django", "migrate", "-v0"])
    inside(binaries, env, ["-c", SETUP, str(users), PASSWORD])
    port = free_port()
    argv: list[str | Path] = [binaries / "gunicorn", "--bind", f"127.0.0.1:{port}", "--timeout", "600"]
    argv += ["--workers", str(2 * (os.cpu_count() or 1) + 1), "django.core.wsgi:get_wsgi_application()"]
    with serving("turkle", argv, port=port, env=env, cwd=SITE) as pid:
        yield Turkle(port, pid, postgres, binaries, env, users)


def inside(binaries: Path, env: dict[str, str], arguments: list[str]) -> str:
    """What a program in Turkle's environment prints."""
    done = subprocess.run(
        [str(binaries / "python"), *arguments], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"Turkle: {done.stderr[-2000:]}")
    return done.stdout
