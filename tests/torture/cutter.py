"""A proxy that lets the server answer and keeps the answer to itself: the client sees a connection that just ends."""

from __future__ import annotations

import contextlib
import re
import socket
import threading

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


class Cutter:
    """Listens on a port of its own in front of one server; `cut` counts the answers that it swallowed."""

    def __init__(self, host: str, server_port: int) -> None:
        self._server = (host, server_port)
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut = 0
        threading.Thread(target=self._accept, name="cutter", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(20)
            request = _message(client)
            with socket.create_connection(self._server, timeout=20) as server:
                server.sendall(request)
                if _message(server):
                    self.cut += 1


def _message(connection: socket.socket) -> bytes:
    """One HTTP message: its head, and as many bytes of body as it announces."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = connection.recv(65536)
        if not more:
            return b""
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    announced = LENGTH.search(head)
    missing = (int(announced.group(1)) if announced else 0) - len(body)
    while missing > 0:
        more = connection.recv(65536)
        if not more:
            return b""
        read += more
        missing -= len(more)
    return read
