"""What the guides say is so: the examples of the API guide run, in order, against a real site; links lead somewhere;
commands, routes and variables that are named exist."""

import ast
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from io import StringIO
from json import loads
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import call_command, get_commands
from django.urls import get_resolver

from deploy.stack.cli import COMMANDS
from deploy.stack.paths import ROOT
from tests.browser.market import own_redis
from tests.live.servers import serving

DOCS = ROOT / "deploy" / "docs"
GUIDES = [ROOT / "README.md", ROOT / "deploy" / "README.md", ROOT / "deploy" / "RUNBOOK.md", *sorted(DOCS.glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "\u0001"
LIMIT_S = 240


def blocks(text: str) -> Iterator[tuple[str, str | None]]:
    """Python blocks in order, each with the text that it is said to print; None where nothing is said."""
    found = BLOCK.findall(text)
    for (language, body), (next_language, next_body) in zip(found, [*found[1:], ("", "")], strict=False):
        if language == "python":
            yield body, next_body if next_language == "text" else None


def said_matches(promised: str, printed: str) -> bool:
    """Whether it was printed; `…` stands for anything within a line."""
    pattern = "[^\n]*".join(re.escape(part) for part in promised.split("…"))
    return re.fullmatch(pattern, printed) is not None


@pytest.mark.stack
def test_the_api_guide_runs_and_prints_what_it_says(committed: str, migrator: Any, tmp_path: Path) -> None:
    own = own_redis()
    with redis.Redis.from_url(own) as client:
        client.flushdb()
    out = StringIO()
    call_command("staff_key", email="staff@example.org", stdout=out)
    with serving(committed, tmp_path, "web", "relay", "worker", "beat", REDIS_URL=own) as servers:
        run_guide(servers.web_url, loads(out.getvalue())["key"])


def run_guide(site: str, staff_key: str, *, people: str = "example.org") -> None:
    """Run the guide's program against a site, its people at an address of their own; what it prints is what it says."""
    text = (DOCS / "api.md").read_text().replace("@example.org", f"@{people}")
    given = list(blocks(text.replace("statement 1", f"statement {people}")))
    assert len(given) >= 10
    program = f"\nprint({MARK!r}, flush=True)\n".join(body for body, _ in given)
    env = {**os.environ, "TOUCHSTONE": site, "STAFF_KEY": staff_key}
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"after {LIMIT_S} s it had printed no more than:\n{late.stdout!r}") from None
    printed = done.stdout.split(f"{MARK}\n")
    for (body, promised), so in zip(given, printed, strict=False):
        assert said_matches(promised or "", so), f"{body}\nprinted:\n{so}\n{done.stderr[-2000:]}"
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(printed) == len(given)


@pytest.mark.parametrize(
    ("promised", "printed", "so"),
    [("a … c\n", "a b c\n", True), ("a … c\n", "a\nc\n", False), ("a.c\n", "abc\n", False), ("", "a\n", False)],
)
def test_the_comparison_of_what_is_printed_is_strict(promised: str, printed: str, so: bool) -> None:
    assert said_matches(promised, printed) == so


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", guide.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (guide.parent / target).exists(), target


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_commands_exist(guide: Path) -> None:
    code = "\n".join(re.findall(r"`([^`\n]+)`", guide.read_text())) + "\n"
    code += "\n".join(body for language, body in BLOCK.findall(guide.read_text()) if language in ("sh", ""))
    for named in re.findall(r"\./run (\w+)", code):
        assert named in COMMANDS, named
    for named in re.findall(r"(?:manage\.py|\./run manage|migrate python manage\.py) (\w+)", code):
        assert named in get_commands(), named


def addresses(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    """Every route as text."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern).lstrip("^").rstrip("$")
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern.url_patterns, route)
        else:
            yield route


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_routes_exist(guide: Path) -> None:
    known = {shape(route) for route in addresses(get_resolver().url_patterns)}
    named = re.findall(r"`(?:GET |POST |PUT |DELETE )(/?[a-z][^\s`?]*)[^`]*`", guide.read_text())
    for route in named:
        path = route.lstrip("/")
        full = path if path.startswith(("api/", "live/", "ws/", "health", "ready", "metrics")) else f"api/v1/{path}"
        if not full.startswith(("live/", "ws/")):
            assert shape(full) in known, route


def shape(route: str) -> str:
    """A route without the names of its parts."""
    return re.sub(r"<[^>]+>|\{[^}]+\}|…", "*", route).rstrip("/")


def test_programs_in_the_guides_are_python() -> None:
    for guide in GUIDES:
        for body, _ in blocks(guide.read_text()):
            ast.parse(body)


def test_the_drawing_is_whole_and_said_in_words() -> None:
    drawing = ET.parse(DOCS / "architecture.svg").getroot()
    assert drawing.tag.endswith("svg")
    assert drawing.find("{http://www.w3.org/2000/svg}title") is not None
    words = " ".join(drawing.itertext())
    for process in ("nginx", "web", "live", "relay", "worker", "beat", "PostgreSQL", "PgBouncer", "Valkey"):
        assert process in words, process
    assert not [found for found in drawing.iter() if found.tag.endswith("script")]
    assert "(architecture.svg)" in (DOCS / "architecture.md").read_text()
