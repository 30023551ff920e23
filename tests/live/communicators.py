"""Sockets and requests spoken to an ASGI application directly, message by message."""

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator

from marketplace.asgi import application

HTTP = {"type": "http", "http_version": "1.1", "query_string": b"", "headers": []}
WEBSOCKET = {"type": "websocket", "query_string": b"", "subprotocols": []}


class Socket(ApplicationCommunicator):
    """A client's end of a socket."""

    def __init__(self, path: str = "/ws/worker/", **headers: str) -> None:
        pairs = [(name.encode(), text.encode("latin-1")) for name, text in headers.items()]
        super().__init__(application, {**WEBSOCKET, "path": path, "headers": pairs})

    async def connect(self) -> tuple[bool, int]:
        """Whether the server accepts, and the code with which it does not."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(timeout=10)
        return answer["type"] == "websocket.accept", answer.get("code", 0)

    async def send(self, text: str | bytes) -> None:
        await self.send_input({"type": "websocket.receive", "bytes" if isinstance(text, bytes) else "text": text})

    async def send_json(self, message: Any) -> None:
        await self.send(json.dumps(message))

    async def receive_json(self) -> Any:
        answer = await self.receive_output(timeout=10)
        assert answer["type"] == "websocket.send", answer
        return json.loads(answer["text"])

    async def closed_with(self) -> int:
        answer = await self.receive_output(timeout=10)
        assert answer["type"] == "websocket.close", answer
        # A real server tells the application that the socket it closed is gone.
        await self.leave()
        return int(answer["code"])

    async def hello(self) -> Any:
        """The first frame after authentication."""
        said = await self.receive_json()
        assert said["type"] == "hello", said
        return said

    async def join(self, cursor: Any = None) -> Any:
        """Join, and the answer: a snapshot where no cursor is given."""
        await self.send_json({"type": "join"} | ({} if cursor is None else {"cursor": cursor}))
        return await self.receive_json()

    async def refused_with(self) -> tuple[int, str]:
        """The code with which the server closes, and the error frame's detail before it."""
        said = await self.receive_json()
        assert said["type"] == "error", said
        return await self.closed_with(), said["detail"]

    async def leave(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(timeout=10)


async def get(path: str, method: str = "GET") -> tuple[int, Any]:
    """Status and JSON of a plain request."""
    asked = ApplicationCommunicator(application, {**HTTP, "path": path, "method": method})
    await asked.send_input({"type": "http.request", "body": b""})
    start = await asked.receive_output(timeout=10)
    body = await asked.receive_output(timeout=10)
    await asked.wait(timeout=10)
    return start["status"], json.loads(body["body"])
