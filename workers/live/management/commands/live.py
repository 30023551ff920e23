"""`./run manage live`: a process of the site that holds sockets, as long as it lives."""

import socket
from argparse import ArgumentParser
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand

from workers.live.frames import FRAME_BYTES_MAX


class Command(BaseCommand):
    help = (
        "Serve sockets, long polls and /health/ until stopped. Several may share one port of one machine: the kernel"
        " spreads connections over those that live, so that when one dies its clients find the others."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8001)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        config = uvicorn.Config(
            "marketplace.asgi:application",
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=FRAME_BYTES_MAX,
            # A compressor for each socket would take more memory than all else of it.
            ws_per_message_deflate=False,
            # What does not answer within 30 s is gone, however much it could still be sent.
            ws_ping_interval=20,
            ws_ping_timeout=8,
            timeout_graceful_shutdown=3,
            # It would write two lines for every socket.
            access_log=False,
            # Ours: a line of the server looks as all others do.
            log_config=None,
            log_level="warning",
        )
        with shared_address(host, port) as bound:
            uvicorn.Server(config).run(sockets=[bound])


def shared_address(host: str, port: int) -> socket.socket:
    """A socket that may listen there beside others of the same kind. The server listens once it can serve: until then,
    and as soon as it has died, the kernel gives all connections to the others."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    return made
