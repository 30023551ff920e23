"""The one way out (R31): it reaches public addresses and nothing inside, however the address is written or resolved."""

import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from marketplace.webhooks import egress
from marketplace.webhooks.addresses import Address, BadUrl, is_public, place_of
from marketplace.webhooks.egress import EgressFailed, EgressRefused, ask
from tests.webhooks.receiver import HOST, Authority, Canary, Receiver, canary, make_authority, receiving

ROOT = Path(__file__).resolve().parents[2]
# Names and what a name server says of them. Names that are none here do not resolve.
NAMES = {
    "localhost": ["127.0.0.1"],
    "loopback.example.test": ["127.0.0.1"],
    "six.example.test": ["::1"],
    "both.example.test": ["8.8.8.8", "127.0.0.1"],
    "mixed.example.test": ["2606:4700::1", "::1"],
    "mapped.example.test": ["::ffff:127.0.0.1"],
    "nat64.example.test": ["64:ff9b::7f00:1"],
    "nothing.example.test": [],
    "zero.example.test": ["0.0.0.0"],
    "metadata.google.internal": ["169.254.169.254"],
    "private.example.test": ["10.0.0.5"],
}
# {p} is the canary's port, the only one that is allowed beside the usual.
REFUSED = [
    # The machine itself, in every way of writing it.
    "https://127.0.0.1:{p}/", "https://127.0.0.2:{p}/", "https://127.255.255.254:{p}/", "https://127.1:{p}/",
    "https://127.0.1:{p}/", "https://0177.0.0.1:{p}/", "https://0177.0.0.01:{p}/", "https://0x7f.0.0.1:{p}/",
    "https://0x7f000001:{p}/", "https://2130706433:{p}/", "https://017700000001:{p}/", "https://127.0.0.1.:{p}/",
    "https://127.0.0.01:{p}/", "https://127.000.000.001:{p}/", "https://0:{p}/", "https://0.0.0.0:{p}/",
    "https://00.0.0.0:{p}/", "https://[::1]:{p}/", "https://[::]:{p}/", "https://[0:0:0:0:0:0:0:1]:{p}/",
    "https://[::ffff:127.0.0.1]:{p}/", "https://[::ffff:7f00:1]:{p}/", "https://[0:0:0:0:0:ffff:127.0.0.1]:{p}/",
    "https://[::127.0.0.1]:{p}/", "https://[64:ff9b::127.0.0.1]:{p}/", "https://[64:ff9b::7f00:1]:{p}/",
    "https://[64:ff9b:1::7f00:1]:{p}/", "https://[2002:7f00:1::]:{p}/", "https://[2001:0:7f00:1::]:{p}/",
    "https://[::1%25lo]:{p}/", "https://[::1%lo]:{p}/", "https://localhost:{p}/", "https://LOCALHOST:{p}/",
    "https://localhost.:{p}/", "https://①②⑦.⓪.⓪.①:{p}/", "https://127。0。0。1:{p}/", "https://ｌocalhost:{p}/",
    # Names that lead inside, wholly or in part.
    "https://loopback.example.test:{p}/", "https://six.example.test:{p}/", "https://both.example.test:{p}/",
    "https://mixed.example.test:{p}/", "https://mapped.example.test:{p}/", "https://nat64.example.test:{p}/",
    "https://nothing.example.test:{p}/", "https://zero.example.test:{p}/", "https://private.example.test:{p}/",
    # Clouds, private networks and what is for nobody.
    "https://169.254.169.254:{p}/latest/meta-data/", "https://metadata.google.internal:{p}/", "https://metadata:{p}/",
    "https://[fd00:ec2::254]:{p}/", "https://100.100.100.200:{p}/", "https://168.63.129.16:{p}/",
    "https://192.0.0.192:{p}/", "https://10.0.0.1:{p}/", "https://172.16.0.1:{p}/", "https://172.31.255.255:{p}/",
    "https://192.168.1.1:{p}/", "https://100.64.0.1:{p}/", "https://198.18.0.1:{p}/", "https://224.0.0.1:{p}/",
    "https://255.255.255.255:{p}/", "https://240.0.0.1:{p}/", "https://203.0.113.5:{p}/", "https://[fe80::1]:{p}/",
    "https://[fec0::1]:{p}/", "https://[fc00::1]:{p}/", "https://[ff02::1]:{p}/", "https://[2001:db8::1]:{p}/",
    "https://[100::1]:{p}/", "https://[2001:10::1]:{p}/", "https://[3fff::1]:{p}/",
    # Names and passwords, and other ways to have two programs read two hosts.
    "https://good.example.org@127.0.0.1:{p}/", "https://a:b@127.0.0.1:{p}/", "https://127.0.0.1:{p}\\@example.org/",
    "https://example.org\\@127.0.0.1:{p}/", "https://127.0.0.1:{p}#@example.org/", "https://example.org#@127.0.0.1/",
    "https://127.0.0.1 .example.org:{p}/", "https://127.0.0.1\t:{p}/", "https://127.0.0.1%00.example.org:{p}/",
    "https://exam\nple.org/", "https://example.org:{p}:80/", "https://[::1]x:{p}/", "https://[127.0.0.1]:{p}/",
    "https:///127.0.0.1:{p}/", "https:127.0.0.1:{p}/", "https:/127.0.0.1:{p}/", "//127.0.0.1:{p}/", "127.0.0.1:{p}",
    "https://:{p}/", "https://", "", "https://-a.example.org/", "https://a..example.org/", "https://intranet:{p}/",
    # Other schemes and ports.
    "http://127.0.0.1:{p}/", "HTTPS://127.0.0.1:{p}/", "ftp://127.0.0.1:{p}/", "file:///etc/passwd",
    "gopher://127.0.0.1:{p}/_x", "dict://127.0.0.1:{p}/", "unix:///var/run/x", "javascript:alert(1)",
    "https://8.8.8.8:22/", "https://8.8.8.8:6379/", "https://8.8.8.8:0/", "https://8.8.8.8:65536/",
    "https://8.8.8.8:0443/", "https://8.8.8.8:+443/", "https://8.8.8.8:４４３/", "https://example.org:80/",
    "https://example.org/" + "a" * 2_000,
]  # fmt: skip


def resolve(host: str, port: int) -> list[Address]:
    if host not in NAMES:
        raise OSError("no such name")
    return [ip_address(text) for text in NAMES[host]]


@pytest.fixture
def bird(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Listens on the machine at a port that is allowed, so that only the address is in the way."""
    with canary() as made:
        settings.EGRESS_PORTS = [443, made.port]
        monkeypatch.setattr(egress, "resolve", resolve)
        yield made


def test_no_address_of_the_corpus_is_connected_to(bird: Canary) -> None:
    assert len(set(REFUSED)) == len(REFUSED) >= 60
    let_through = []
    for url in REFUSED:
        with pytest.raises((EgressRefused, EgressFailed)) as caught:
            ask("POST", url.replace("{p}", str(bird.port)), headers={}, body=b"x")
        if caught.type is not EgressRefused:
            let_through.append((url, str(caught.value)))
    assert let_through == []
    assert bird.heard == []


def test_the_canary_hears_those_who_come_so_that_its_silence_says_something(
    bird: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the judgement of addresses the same requests arrive at it."""
    monkeypatch.setattr(egress, "is_public", lambda address, closed=(): True)
    for reached, host in enumerate(
        ("127.0.0.1", "127.0.0.2", "loopback.example.test", "0.0.0.0", "mapped.example.test")
    ):
        with pytest.raises(EgressFailed):
            ask("POST", f"https://{host}:{bird.port}/", headers={})
        _until(lambda reached=reached: len(bird.heard) > reached)


def test_a_name_that_is_resolved_anew_gives_the_second_address_no_chance(
    authority: Authority, settings: Any, tmp_path: Path
) -> None:
    """First the name leads to a receiver outside, then to the canary at the same port of the machine itself."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("127.0.0.2" if len(asked) % 2 else "127.0.0.1")]

    settings.EGRESS_CA_FILE = authority.ca_file
    with receiving(authority, "127.0.0.2") as outside, canary(outside.port, ("127.0.0.1",)) as inside:
        settings.EGRESS_ALLOW = [f"127.0.0.2:{outside.port}"]
        for turn in range(1, 11):
            reply = ask("POST", outside.url, headers={}, body=b"x", resolver=rebinding)
            assert (reply.status, str(reply.address), len(asked)) == (200, "127.0.0.2", 2 * turn - 1)
            with pytest.raises(EgressRefused):
                ask("POST", outside.url, headers={}, body=b"x", resolver=rebinding)
        assert len(outside.came) == 10
        assert inside.heard == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_nobody_goes_there(receiver: Receiver, status: int) -> None:
    with canary() as bird:

        def elsewhere(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Location", f"https://127.0.0.1:{bird.port}/latest/meta-data/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        receiver.answers = [elsewhere]
        assert ask("POST", receiver.url, headers={}, body=b"x").status == status
        assert bird.heard == []
    assert len(receiver.came) == 1


def test_the_name_is_kept_for_tls_and_for_the_host_header(receiver: Receiver) -> None:
    ask("POST", receiver.url, headers={"X-Own": "1"}, body=b"text")

    (came,) = receiver.came
    assert receiver.names == [HOST]
    assert (came.path, came.body, came.headers["Host"]) == ("/in?a=b", b"text", f"{HOST}:{receiver.port}")
    assert came.headers["Accept-Encoding"] == "identity"


def test_proxies_of_the_environment_are_not_looked_at(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with canary() as bird:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{bird.port}")
        assert ask("POST", receiver.url, headers={}, body=b"x").status == 200
        assert bird.heard == []


def test_a_certificate_of_another_name_or_of_nobody_known_is_refused_before_anything_is_said(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(egress, "resolve", lambda host, port: [ip_address("127.0.0.1")])
    with pytest.raises(EgressFailed, match="certificate is not valid"):
        ask("POST", receiver.url.replace(HOST, "other.example.test"), headers={}, body=b"x")
    settings.EGRESS_CA_FILE = make_authority(tmp_path, HOST).ca_file
    with pytest.raises(EgressFailed, match="certificate is not valid"):
        ask("POST", receiver.url, headers={}, body=b"x")
    settings.EGRESS_CA_FILE = ""
    with pytest.raises(EgressFailed, match="certificate is not valid"):
        ask("POST", receiver.url, headers={}, body=b"x")
    assert receiver.came == []


def test_the_exception_of_tests_is_for_one_address_and_one_port(receiver: Receiver, settings: Any) -> None:
    with canary(addresses=("127.0.0.1",)) as bird:
        settings.EGRESS_PORTS = [bird.port]
        for host in ("127.0.0.1", HOST):
            with pytest.raises(EgressRefused):
                ask("POST", f"https://{host}:{bird.port}/", headers={}, body=b"x")
        with pytest.raises(EgressRefused):
            ask("POST", f"https://127.0.0.2:{receiver.port}/", headers={}, body=b"x")
        assert bird.heard == []


def test_a_bomb_stays_packed(receiver: Receiver) -> None:
    bomb = gzip.compress(bytes(50 * 1024 * 1024))

    def throw(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(bomb)))
        handler.end_headers()
        handler.wfile.write(bomb)

    receiver.answers = [throw]
    assert ask("POST", receiver.url, headers={}, keep_body=True).body == bomb


@pytest.mark.parametrize("chunked", [True, False], ids=["in chunks", "of a stated length"])
def test_an_answer_without_end_is_cut_off(receiver: Receiver, monkeypatch: pytest.MonkeyPatch, chunked: bool) -> None:
    monkeypatch.setattr(egress, "BODY_BYTES_MAX", 300_000)
    monkeypatch.setattr(egress, "TIMEOUT_S", 60.0)
    sent: list[int] = []

    def pour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(10**12))))
        handler.end_headers()
        piece = b"x" * 10_000
        for _ in range(100_000):
            handler.wfile.write(b"2710\r\n" + piece + b"\r\n" if chunked else piece)
            sent.append(len(piece))

    receiver.answers = [pour, pour]
    with pytest.raises(EgressFailed, match="more than 300000 bytes"):
        ask("POST", receiver.url, headers={}, keep_body=True)
    # Who does not ask for the body does not read it.
    assert ask("POST", receiver.url, headers={}).body == b""
    assert sum(sent) < 10**9


def slow_head(handler: BaseHTTPRequestHandler) -> None:
    _drip(handler, b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 600)


def slow_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "600")
    handler.end_headers()
    _drip(handler, b"a" * 600)


def goes_on(handler: BaseHTTPRequestHandler) -> None:
    _drip(handler, b"HTTP/1.1 100 Continue\r\n\r\n" * 24)


def _drip(handler: BaseHTTPRequestHandler, text: bytes) -> None:
    for at in range(len(text)):
        handler.wfile.write(text[at : at + 1])
        handler.wfile.flush()
        time.sleep(0.1)


@pytest.mark.parametrize("drip", [slow_head, slow_body, goes_on])
def test_everything_together_ends_in_time_and_not_each_byte(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, drip: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    """Each byte comes at once after the one before, and the whole would take a minute."""
    monkeypatch.setattr(egress, "TIMEOUT_S", 1.0)
    receiver.answers = [drip]
    began = time.monotonic()
    with pytest.raises(EgressFailed, match="no answer within"):
        ask("POST", receiver.url, headers={}, keep_body=True)
    assert time.monotonic() - began < 40


def test_who_takes_the_connection_and_says_nothing_is_left_in_time(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(egress, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
        with pytest.raises(EgressFailed, match="no answer within"):
            ask("POST", f"https://127.0.0.1:{port}/", headers={}, body=b"x")


def test_a_name_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "TIMEOUT_S", 0.2)

    def never(host: str, port: int) -> Sequence[Address]:
        time.sleep(60)
        return []

    with pytest.raises(EgressFailed, match="not resolved within"):
        ask("POST", f"https://{HOST}/", headers={}, resolver=never)


@pytest.mark.parametrize(
    "spoil",
    [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"HTTP/1.1 xyz\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000],
    ids=["nothing", "ssh", "too many headers", "no status", "a line too long"],
)  # fmt: skip
def test_what_is_not_http_is_a_failure_in_words(receiver: Receiver, spoil: bytes) -> None:
    receiver.answers = [lambda handler: handler.wfile.write(spoil) and None]
    with pytest.raises(EgressFailed):
        ask("POST", receiver.url, headers={}, body=b"x")


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00:1450::5",
     "64:ff9b::8.8.8.8"],
)  # fmt: skip
def test_the_rest_of_the_internet_is_open(text: str) -> None:
    assert is_public(ip_address(text))


def test_an_operator_closes_further_networks(settings: Any) -> None:
    settings.EGRESS_REFUSE = ["8.8.8.0/24", "2606:4700::/32"]
    for host in ("8.8.8.8", "[2606:4700::1]", "[64:ff9b::808:808]"):
        with pytest.raises(EgressRefused):
            egress.require_usable(f"https://{host}/")
    egress.require_usable("https://8.8.9.8/")


def test_an_address_is_read_in_one_way_only() -> None:
    place = place_of("https://Example.ORG:8443/a%20b?c=d")
    assert (place.host, place.port, place.target) == ("example.org", 8443, "/a%20b?c=d")
    assert place.authority == "example.org:8443"
    assert place_of("https://example.org").target == "/"
    assert place_of("https://example.org:443/").authority == "example.org"
    assert place_of("https://[2606:4700::0:1]/").host == "2606:4700::1"
    with pytest.raises(BadUrl):
        place_of("https://example.org/a b")


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
