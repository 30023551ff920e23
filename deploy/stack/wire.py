"""Just enough of both servers' protocols to ask them a question over a unix socket."""

from __future__ import annotations

import re
import socket
import struct
from contextlib import closing
from pathlib import Path


class NoAnswer(Exception):
    """The server is not there, not ready, or refused."""


def ask_postgres(sockets: Path, sql: str, *, user: str, database: str, timeout: float = 5.0) -> list[list[str | None]]:
    """Rows of one simple query, as text. Works with trust and peer authentication. Raises `NoAnswer`."""
    try:
        with closing(_connect(sockets / ".s.PGSQL.5432", timeout)) as connection:
            parameters = f"user\0{user}\0database\0{database}\0application_name\0run\0\0".encode()
            connection.sendall(struct.pack("!ii", len(parameters) + 8, 196608) + parameters)
            _until_ready(connection)
            query = sql.encode() + b"\0"
            connection.sendall(b"Q" + struct.pack("!i", len(query) + 4) + query)
            rows = _until_ready(connection)
            connection.sendall(b"X" + struct.pack("!i", 4))
            return rows
    except (OSError, struct.error) as error:
        raise NoAnswer(str(error)) from error


def ask_valkey(path: Path, *command: str, timeout: float = 5.0) -> str:
    """The reply to one command, undecoded beyond its first line. Raises `NoAnswer`."""
    try:
        with closing(_connect(path, timeout)) as connection:
            parts = [part.encode() for part in command]
            connection.sendall(
                b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
            )
            reply = connection.recv(65536)
            bulk = re.match(rb"\$(\d+)\r\n", reply)
            while bulk and len(reply) < bulk.end() + int(bulk.group(1)):
                more = connection.recv(65536)
                if not more:
                    break
                reply += more
    except OSError as error:
        raise NoAnswer(str(error)) from error
    if not reply or reply.startswith(b"-"):
        raise NoAnswer(reply.decode(errors="replace").strip() or "no reply")
    return reply.decode(errors="replace")


def _connect(path: Path, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _until_ready(connection: socket.socket) -> list[list[str | None]]:
    """Read messages until the server is ready for a query; the data rows among them."""
    rows: list[list[str | None]] = []
    while True:
        kind = _exactly(connection, 1)
        (length,) = struct.unpack("!i", _exactly(connection, 4))
        body = _exactly(connection, length - 4)
        if kind == b"Z":
            return rows
        if kind == b"E":
            fields = [field.decode(errors="replace") for field in body.split(b"\0") if field]
            raise NoAnswer(next((field[1:] for field in fields if field.startswith("M")), "refused"))
        if kind == b"R" and struct.unpack("!i", body[:4])[0] != 0:
            raise NoAnswer("the server asks for a password")
        if kind == b"D":
            rows.append(_row(body))


def _row(body: bytes) -> list[str | None]:
    (count,) = struct.unpack("!h", body[:2])
    values: list[str | None] = []
    place = 2
    for _ in range(count):
        (length,) = struct.unpack("!i", body[place : place + 4])
        place += 4
        values.append(None if length < 0 else body[place : place + length].decode())
        place += max(length, 0)
    return values


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = b""
    while len(parts) < count:
        more = connection.recv(count - len(parts))
        if not more:
            raise NoAnswer("the server closed the connection")
        parts += more
    return parts
