"""What a page weighs: every byte that a browser fetches for it before any data, as a proxy would compress it."""

import gzip
import re
from dataclasses import dataclass, field
from posixpath import join, normpath
from typing import Any

from django.contrib.staticfiles import finders
from django.test import Client

STATIC = "/static/"
LINKED = re.compile(r'<link\b[^>]*\brel="(?:stylesheet|icon|modulepreload)"[^>]*\bhref="([^"]+)"')
LINKED_FIRST = re.compile(r'<link\b[^>]*\bhref="([^"]+)"[^>]*\brel="(?:stylesheet|icon|modulepreload)"')
SCRIPTED = re.compile(r'<script\b[^>]*\bsrc="([^"]+)"')
USED = re.compile(r'(?:<img\b[^>]*\bsrc|<use\b[^>]*\bhref)="(/static/[^"#]+)')
# `import … from "x"`, `import "x"` and `export … from "x"`; what is imported later by a call is not part of the page.
IMPORTED = re.compile(r"""(?:^|[;}\s])(?:import|export)\s*(?:[\w*{}\s,$]+?\s*from\s*)?["']([^"']+)["']""")
BY_SHEET = re.compile(r"""(?:@import\s+|url\()["']?([^"')]+)["']?""")


@dataclass
class Weight:
    """Bytes after gzip by address; the page itself is "page"."""

    parts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.parts.values())

    @property
    def requests(self) -> int:
        return len(self.parts)

    def __str__(self) -> str:
        lines = [f"{size:>8} {name}" for name, size in sorted(self.parts.items(), key=lambda part: -part[1])]
        return "\n".join([*lines, f"{self.total:>8} in {self.requests} requests"])


def weight_of(client: Client, path: str) -> Weight:
    """Of the page that this client gets there."""
    response = client.get(path)
    assert response.status_code == 200, (path, response.status_code)
    return weigh(response)


def weigh(response: Any) -> Weight:
    """Of a page with its style sheets, pictures, scripts and modules, each with all that it imports."""
    text = response.content.decode()
    weight = Weight({"page": _packed(response.content)})
    mapped = _import_map(text)
    for pattern in (LINKED, LINKED_FIRST, SCRIPTED, USED):
        for address in pattern.findall(text):
            _add(weight, address, mapped)
    return weight


def _add(weight: Weight, address: str, mapped: dict[str, str]) -> None:
    if not address.startswith(STATIC) or address in weight.parts:
        assert address.startswith(("/", "data:")), f"{address} is fetched from elsewhere"
        return
    found = finders.find(address.removeprefix(STATIC))
    assert found, f"{address} is not there"
    with open(found, "rb") as file:
        content = file.read()
    weight.parts[address] = _packed(content)
    pattern = IMPORTED if address.endswith(".js") else BY_SHEET if address.endswith(".css") else None
    for name in pattern.findall(content.decode()) if pattern else ():
        if name.startswith("."):
            _add(weight, normpath(join(address, "..", name)), mapped)
        elif name in mapped or name.startswith("/"):
            _add(weight, mapped.get(name, name), mapped)


def _import_map(text: str) -> dict[str, str]:
    import json

    (written,) = re.findall(r'<script type="importmap">(.*?)</script>', text)
    return dict(json.loads(written)["imports"])


def _packed(content: bytes) -> int:
    return len(gzip.compress(content, 6, mtime=0))
