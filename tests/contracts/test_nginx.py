"""deploy/nginx.conf before the real servers: one origin, limits, and what is hidden. Skips where there is no nginx."""

import contextlib
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from deploy.stack.processes import dies_with_us
from tests import factories as make
from tests.api_client import key_for
from tests.conftest import Databases, own_database
from tests.live.servers import Servers, serving, until
from tests.stack.harness import PROJECT, free_port

pytestmark = pytest.mark.stack
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass
class Front:
    """A running nginx with the site behind it."""

    folder: Path
    port: int
    plain_port: int
    servers: Servers

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        address = f"https://localhost:{self.port}{path}"
        return requests.request(method, address, verify=False, timeout=30, allow_redirects=False, **options)

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in (self.folder / "access.log").read_text().splitlines()]


@pytest.fixture(scope="module")
def front(databases: Databases, django_db_setup: None, django_db_blocker: Any) -> Iterator[Front]:
    if NGINX is None:
        pytest.skip("there is no nginx here: deploy/nginx.conf was not tried")
    folder = Path(tempfile.mkdtemp(prefix="ts-nginx-"))
    extra = {"TOUCHSTONE_PROXIES": "1", "TOUCHSTONE_METRICS_ADDRESSES": "203.0.113.7"}
    try:
        with (
            own_database(databases, django_db_blocker) as database,
            serving(database, folder, "web", "live", **extra) as servers,
            running(folder, servers) as made,
        ):
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(folder: Path, servers: Servers) -> Iterator[Front]:
    """nginx on free ports, with a certificate of its own and one static file."""
    made = Front(folder, free_port(), free_port(), servers)
    for name in ("static/pages", "acme/.well-known/acme-challenge", "cache", "temporary", "tls"):
        (folder / name).mkdir(parents=True)
    (folder / "static/pages/some.css").write_text("a { color: red }\n")
    (folder / "acme/.well-known/acme-challenge/token").write_text("answer\n")
    made_by = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made_by += ["-keyout", str(folder / "tls/privkey.pem"), "-out", str(folder / "tls/fullchain.pem")]
    subprocess.run(made_by, check=True, capture_output=True)
    subprocess.run(["chmod", "-R", "a+rwX", str(folder)], check=True)
    (folder / "nginx.conf").write_text(here(made))
    argv = [str(NGINX), "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    tried = subprocess.run([*argv, "-t"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    process = subprocess.Popen([*argv, "-g", "daemon off;"], preexec_fn=dies_with_us(signal.SIGTERM))
    try:
        until(lambda: answers(made), 20)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def answers(front: Front) -> bool:
    try:
        return front.ask("GET", "/health/").status_code == 200
    except requests.ConnectionError:
        return False


def here(front: Front) -> str:
    """The file of the image with the places of this machine in it; whatever is not named stays as it is."""
    text = (PROJECT / "deploy" / "nginx.conf").read_text()
    text = re.sub(r"(_path|pid) /tmp/", rf"\1 {front.folder}/temporary/", text)
    places = {
        "listen 8080 ": f"listen {front.plain_port} ",
        "listen 8443 ": f"listen {front.port} ",
        "web:8000": f"127.0.0.1:{front.servers.web_port}",
        "live:8001": f"127.0.0.1:{front.servers.live_port}",
        "/srv/static/": f"{front.folder}/static/",
        "/srv/acme": f"{front.folder}/acme",
        "/etc/nginx/tls/": f"{front.folder}/tls/",
        "/var/cache/nginx/": f"{front.folder}/cache/",
        "/dev/stdout": f"{front.folder}/access.log",
        "/dev/stderr": f"{front.folder}/error.log",
        "worker_processes auto;": "worker_processes 1;",
    }
    for place, ours in places.items():
        assert place in text, place
        text = text.replace(place, ours)
    if not Path("/etc/nginx/mime.types").exists():  # it was unpacked somewhere
        unpacked = Path(str(NGINX)).resolve().parents[2]
        text = text.replace("/etc/nginx/mime.types", f"{unpacked}/etc/nginx/mime.types")
    version = subprocess.run([str(NGINX), "-v"], capture_output=True, text=True, check=True).stderr
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (1, 25):
        text = text.replace("        http2 on;\n", "")
    return text


def test_pages_sockets_polls_and_files_are_one_origin(front: Front) -> None:
    home = front.ask("GET", "/")
    assert home.status_code == 200
    assert "default-src 'self'" in home.headers["Content-Security-Policy"]
    assert "nginx/" not in home.headers["Server"], "no version"
    assert front.ask("GET", "/live/protocol.json").status_code == 200

    key = key_for(make.make_worker().user, "worker")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    address = f"wss://localhost:{front.port}/ws/worker/"
    with connect(address, ssl=trusting, additional_headers={"Authorization": f"Bearer {key}"}) as socket:
        assert json.loads(socket.recv(timeout=20))["type"] == "hello"


def test_static_files_are_given_by_nginx_itself(front: Front) -> None:
    given = front.ask("GET", "/static/pages/some.css")
    assert (given.status_code, given.text) == (200, "a { color: red }\n")
    assert given.headers["Content-Type"] == "text/css"
    assert given.headers["Cache-Control"] == "public, max-age=3600"
    assert given.headers["X-Content-Type-Options"] == "nosniff"
    assert front.ask("POST", "/static/pages/some.css").status_code == 403
    for outside in ("/static/../tls/privkey.pem", "/static/%2e%2e/tls/privkey.pem", "/static../tls/privkey.pem"):
        prepared = requests.Request("GET", f"https://localhost:{front.port}/").prepare()
        prepared.url = f"https://localhost:{front.port}{outside}"
        with requests.Session() as session:
            found = session.send(prepared, verify=False, timeout=30, allow_redirects=False)
        assert found.status_code in (400, 404), outside
        assert "PRIVATE KEY" not in found.text


def test_plain_http_leads_to_tls_and_answers_challenges(front: Front) -> None:
    site = f"http://localhost:{front.plain_port}"
    sent = requests.post(f"{site}/api/v1/keys?a=b", timeout=30, allow_redirects=False)
    assert (sent.status_code, sent.headers["Location"]) == (308, "https://localhost/api/v1/keys?a=b")
    challenge = requests.get(f"{site}/.well-known/acme-challenge/token", timeout=30)
    assert (challenge.status_code, challenge.text) == (200, "answer\n")


def test_a_request_has_one_id_in_both_logs_and_nobody_brings_his_own(front: Front) -> None:
    theirs = "f" * 32
    told = front.ask("GET", "/worker?token=secret", headers={"X-Request-Id": theirs}).headers["X-Request-Id"]

    assert told != theirs
    until(lambda: any(line["request_id"] == told for line in front.lines()))
    (line,) = [line for line in front.lines() if line["request_id"] == told]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/worker", 404)
    assert "secret" not in json.dumps(line)


def test_links_that_open_doors_are_not_written_down(front: Front) -> None:
    front.ask("GET", "/accounts/password/reset/key/7-cafe-0123456789/")
    until(lambda: any(line["path"] == "/accounts/" for line in front.lines()))
    assert "0123456789" not in (front.folder / "access.log").read_text()


def test_nobody_says_for_himself_where_he_comes_from(front: Front) -> None:
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        assert front.ask("GET", "/metrics", headers={header: "203.0.113.7"}).status_code == 401


def test_large_bodies_are_refused_but_for_files_of_tasks(front: Front) -> None:
    five_mb = b"x" * 5_000_000
    assert front.ask("POST", "/api/v1/projects", data=five_mb).status_code == 413
    nobodys = "00000000-0000-4000-8000-000000000000"
    for page in (f"batches/{nobodys}/setup/items/", f"projects/{nobodys}/data/", f"{nobodys}/people/", ""):
        assert front.ask("POST", f"/console/{page}", data=five_mb).status_code == 413, page
    # Refused by the site, for want of a key, once it was there.
    for path in ("imports", "imports/preview"):
        assert front.ask("POST", f"/api/v1/batches/{nobodys}/{path}", data=five_mb).status_code == 401, path


def test_who_knocks_at_doors_too_often_is_told_to_wait(front: Front) -> None:
    with requests.Session() as session:
        session.verify = False
        statuses = [
            session.get(f"https://localhost:{front.port}/accounts/login/", timeout=30).status_code for _ in range(60)
        ]
    assert set(statuses) == {200, 429}
    assert statuses[:20] == [200] * 20


def test_other_servers_that_are_away_are_told_in_a_moment(front: Front) -> None:
    front.servers.kill("live")
    try:
        assert front.ask("GET", "/live/protocol.json").status_code in (502, 504)
        assert front.ask("GET", "/health/").status_code == 200
    finally:
        front.servers.start("live")
    assert front.ask("GET", "/live/protocol.json").status_code == 200
