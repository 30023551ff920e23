"""A worker's client of the live server that keeps what it hears."""

from typing import Any

from tests.api_client import key_for
from tests.live.client import Frame, LiveClient
from tests.live.servers import Servers
from workers.profiles.models import Worker


class Listener:
    """What a client heard."""

    def __init__(self, servers: Servers, worker: Worker, **more: Any) -> None:
        self.facts: list[Frame] = []
        self.worker_id = worker.pk
        key = key_for(worker.user, "worker")
        url = f"{servers.live_url}/ws/worker/"
        self.client = LiveClient(url, **{"key": key, "on_fact": self.facts.append, **more})

    @property
    def numbers(self) -> list[int]:
        return [fact["seq"] for fact in self.facts]
