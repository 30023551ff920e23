"""Nothing else of ours makes requests: a second client would have to be as careful as the one there is (R31)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = {
    "requests", "httpx", "httpcore", "aiohttp", "urllib3", "urllib.request", "http.client", "pycurl", "websocket",
    "websockets", "ftplib", "smtplib", "telnetlib", "xmlrpc.client", "socket", "asyncio.open_connection",
}  # fmt: skip
ALLOWED = {
    "marketplace/webhooks/egress.py": {"http.client", "socket"},
    # Sets how much the kernel keeps for a connection that somebody else began.
    "workers/live/connection.py": {"socket"},
    # Binds the address at which it serves.
    "workers/live/management/commands/live.py": {"socket"},
    # Providers of payouts are at addresses that the operator gave and nobody else can name.
    "marketplace/payouts/providers/fake.py": {"http.client", "urllib.request"},
    "marketplace/payouts/providers/paypal.py": {"requests"},
    "marketplace/payouts/providers/stripe_connect.py": {"requests"},
}


def clients_in(text: str) -> set[str]:
    """The clients that a module imports, however it spells that."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ("import_module", "__import__"):
                found.add(str(node.args[0].value))
        elif isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return {client for client in CLIENTS for name in found if name == client or name.startswith(f"{client}.")}


def test_no_module_but_these_can_make_a_request() -> None:
    modules = [path for root in ("marketplace", "workers") for path in (ROOT / root).rglob("*.py")]
    assert len(modules) > 300
    found = {str(path.relative_to(ROOT)): clients_in(path.read_text()) for path in modules}
    assert {name: clients for name, clients in found.items() if clients} == ALLOWED


@pytest.mark.parametrize(
    "text",
    ["import requests", "import requests as r", "from requests import get", "from urllib import request",
     "import urllib.request", "from urllib.request import urlopen", "import http.client as h",
     "from http import client",
     "def f():\n    import httpx", "__import__('urllib3')", "importlib.import_module('aiohttp.client')",
     "import urllib.request as x", "import asyncio\nasyncio.open_connection('a', 1)", "from requests.api import get"],
)  # fmt: skip
def test_a_client_is_found_however_it_is_imported(text: str) -> None:
    assert clients_in(text)


def test_what_is_no_client_is_not_found() -> None:
    assert clients_in("from urllib.parse import urlsplit\nfrom http import HTTPStatus\nimport websocketry") == set()
