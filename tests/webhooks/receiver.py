"""A receiver of webhooks on the loopback address, with a certificate of an authority of its own, as unreliable as a
test wants it; and a canary that hears whoever connects to where nobody may."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "hooks.example.test"


@dataclass(frozen=True)
class Authority:
    """Who certifies the receiver: the file that clients trust, and the one that the server shows."""

    ca_file: str
    server_file: str


def make_authority(folder: Path, *names: str) -> Authority:
    """A new authority and its certificate for these hosts."""
    now = datetime.now(UTC)

    def certificate(subject: str, issuer: str, key: Any, signer: Any) -> Any:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=signer is key, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = certificate("Test authority", "Test authority", ca_key, ca_key).sign(ca_key, hashes.SHA256())
    alternatives = [_alternative(name) for name in names]
    shown = certificate(names[0], "Test authority", key, ca_key)
    shown = shown.add_extension(x509.SubjectAlternativeName(alternatives), critical=False).sign(ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    ca_file, server_file = folder / f"{names[0]}.ca.pem", folder / f"{names[0]}.pem"
    ca_file.write_bytes(ca.public_bytes(pem))
    server_file.write_bytes(private + shown.public_bytes(pem))
    return Authority(str(ca_file), str(server_file))


def _alternative(name: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)


@dataclass(frozen=True)
class Came:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Keeps what arrived; `answers` are given first come first served, and 200 after them. One that can be called
    answers by itself, with the handler."""

    port: int = 0
    came: list[Came] = field(default_factory=list)
    answers: list[int | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)  # by SNI
    choose: Callable[[Came], int] | None = None

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/in?a=b"


@contextmanager
def receiving(authority: Authority, address: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver at a free port of the address."""
    receiver, lock = Receiver(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            came = Came(self.path, dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                receiver.came.append(came)
                answer = receiver.answers.pop(0) if receiver.answers else 200
            if callable(answer):
                answer(self)
                return
            self.send_response(receiver.choose(came) if receiver.choose else answer)
            self.send_header("Content-Length", "14")
            self.end_headers()
            self.wfile.write(b"what-is-inside")

        def log_message(self, *_: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_file)
    context.sni_callback = lambda sock, name, _: receiver.names.append(name)  # type: ignore[assignment]

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def finish_request(self, request: Any, client_address: Any) -> None:
            # Here and not where it is accepted: a client that says nothing holds up nobody else.
            with suppress(OSError), context.wrap_socket(request, server_side=True) as secure:
                Handler(secure, client_address, self)

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server((address, 0), Handler)
    receiver.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Canary:
    """Counts who connects."""

    port: int
    heard: list[Any] = field(default_factory=list)


@contextmanager
def canary(port: int = 0, addresses: tuple[str, ...] = ("0.0.0.0", "::")) -> Iterator[Canary]:
    """Listens at one port, at all of these addresses."""
    listeners: list[socket.socket] = []
    bird = Canary(port)

    def listen(listener: socket.socket) -> None:
        while True:
            try:
                peer, where = listener.accept()
            except OSError:
                return
            bird.heard.append(where)
            peer.close()

    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind((address, bird.port))
        except OSError:
            # A machine without version 6 has nothing there to be reached.
            listener.close()
            assert family == socket.AF_INET6
            continue
        bird.port = listener.getsockname()[1]
        listener.listen(16)
        listeners.append(listener)
        threading.Thread(target=listen, args=[listener], daemon=True).start()
    try:
        yield bird
    finally:
        for listener in listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
