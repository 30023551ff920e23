"""What no test of behaviour can see: no float is on the path of money, and what moves money never asks the network (R8,
R9). Read from the source, so that a new module is judged as well."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MONEY = [
    *(ROOT / "marketplace" / "ledger").rglob("*.py"),
    *(ROOT / "marketplace" / "payouts").rglob("*.py"),
    *(ROOT / "marketplace" / "billing" / "commands").rglob("*.py"),
    *(ROOT / "workers" / "earnings").rglob("*.py"),
    *(ROOT / "workers" / "assignments" / "commands" / f"{name}.py" for name in ("pay", "extras", "reserves", "uphold")),
    ROOT / "marketplace" / "common" / "money.py",
    ROOT / "marketplace" / "batches" / "costs.py",
    ROOT / "marketplace" / "batches" / "commands" / "lifecycle.py",
]
NETWORK = ("http", "urllib", "socket", "requests", "stripe", "smtplib", "django.core.mail", "redis")
# Seconds are no money: timeouts of calls, waits, and how long a transfer has waited for its seal.
SECONDS = ("_S", "_s", "TIMEOUT", "timeout", "seconds")


def modules() -> Iterator[Path]:
    yield from (path for path in MONEY if "migrations" not in path.parts)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sorted(modules()), ids=named)
def test_no_float_is_on_the_path_of_money(path: Path) -> None:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        text = ast.unparse(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            found.append(f"{node.lineno}: {text}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            found.append(f"{node.lineno}: {text}")
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            names = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            seconds = any(mark in ast.unparse(name) for name in names for mark in SECONDS)
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, float) and not seconds:
                found.append(f"{node.lineno}: {text}")
    assert found == []


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize(
    "path",
    sorted(path for path in modules() if "marketplace.ledger.commands" in imports_of(path) or "ledger" in path.parts),
    ids=named,
)
def test_nothing_that_moves_money_asks_the_network(path: Path) -> None:
    if path.name == "tasks.py":
        return  # a task opens its transactions around commands, and calls outside of them
    asked = {
        name for name in imports_of(path) if any(name == known or name.startswith(f"{known}.") for known in NETWORK)
    }
    assert asked == set()
