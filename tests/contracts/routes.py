"""Every address of the site, as the resolver has it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

CONVERTED = re.compile(r"<(?:\w+:)?(\w+)>")
GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")


@dataclass(frozen=True)
class Page:
    """An address as `/work/batches/{batch}/`, its name and what answers there."""

    path: str
    name: str
    view: Callable[..., Any]

    @property
    def named(self) -> list[str]:
        """What its address names."""
        return re.findall(r"{(\w+)}", self.path)


def served(entries: Any = None, prefix: str = "/") -> Iterator[Page]:
    """Every address, the API's too."""
    for entry in get_resolver().url_patterns if entries is None else entries:
        here = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from served(entry.url_patterns, here)
        elif isinstance(entry, URLPattern):
            yield Page(_plain(here), entry.name or "", entry.callback)


def pages() -> list[Page]:
    """Every address but the API's, each once."""
    found = {page.path: page for page in served() if not page.path.startswith("/api/v1/")}
    return list(found.values())


def as_it_is(page: Page) -> str:
    """The line that says what its view does now, to begin with: whoever writes it down says whether that is right."""
    methods, gate, view = ["?"], "?", page.view
    while view is not None and hasattr(view, "__code__"):
        held = dict(
            zip(view.__code__.co_freevars, (cell.cell_contents for cell in view.__closure__ or ()), strict=True)
        )
        methods = held.get("request_method_list", methods)
        gate = held.get("at_least", "|".join(held["roles"]) or "staff" if "roles" in held else gate)
        if view.__code__.co_filename.endswith("workers/web/people.py"):
            gate = "worker"
        view = getattr(view, "__wrapped__", None)
    return f'    "{page.path}": "{" ".join(method for method in methods if method != "HEAD")} {gate}",'


def _plain(path: str) -> str:
    """Patterns of either kind as text with names in braces."""
    path = GROUP.sub(r"{\1}", path)
    path = CONVERTED.sub(r"{\1}", path)
    return path.replace("^", "").replace("$", "").replace("\\Z", "")
