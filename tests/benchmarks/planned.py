"""The plans that a session really uses, those inside functions and triggers included.

`auto_explain` is not among the embedded server's modules, so the plans come from `debug_print_plan`, which every
session may switch on: the server sends each plan as it is made, with the function and the statement it belongs to.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.benchmarks.in_process import every_statement, shortened

_RANGE = re.compile(r"\{RANGETBLENTRY .*?:rtekind (\d+)(?: :relid (\d+))?")
_SCAN = re.compile(
    r"\{(SEQSCAN|SAMPLESCAN|INDEXSCAN|INDEXONLYSCAN|BITMAPHEAPSCAN|TIDSCAN|TIDRANGESCAN) "
    r".*?:scan\.scanrelid (\d+)(?: :indexid (\d+))?"
)
_STATEMENT = re.compile(r'SQL (?:statement|expression) "(.*?)"(?:\n|$)', re.S)
_FUNCTION = re.compile(r'PL/pgSQL function (\w+)\(|SQL function "(\w+)"')
_NAMES = {
    "SEQSCAN": "Seq Scan",
    "SAMPLESCAN": "Sample Scan",
    "INDEXSCAN": "Index Scan",
    "INDEXONLYSCAN": "Index Only Scan",
    "BITMAPHEAPSCAN": "Bitmap Heap Scan",
    "TIDSCAN": "Tid Scan",
    "TIDRANGESCAN": "Tid Range Scan",
}


@dataclass(frozen=True)
class Plan:
    """One statement with the scans of its plan: (kind, table, index)."""

    function: str
    statement: str
    scans: tuple[tuple[str, str, str], ...]


@dataclass
class Plans:
    """The plans that a session made while it was watched."""

    found: dict[Plan, int] = field(default_factory=dict)
    # The statement that the program itself is executing.
    current: str = ""

    def sequential(self, growing: set[str]) -> list[dict[str, str]]:
        """Sequential scans of tables that grow."""
        return [
            {"table": table, "function": plan.function, "statement": plan.statement}
            for plan in self.found
            for kind, table, _ in plan.scans
            if kind in ("Seq Scan", "Sample Scan") and table in growing
        ]


@contextmanager
def watched(connection: "psycopg.Connection[Any]", *, anew: bool = True) -> Iterator[Plans]:
    """Collect the plans that this session makes during the block; `anew` makes it forget those that it has."""
    names = dict(connection.execute("SELECT oid, relname FROM pg_class").fetchall())
    plans = Plans()

    def heard(message: Any) -> None:
        if message.message_primary != "plan:":
            return
        plan = _plan(message.message_detail or "", message.context or "", names, plans.current)
        if plan.scans:
            plans.found[plan] = plans.found.get(plan, 0) + 1

    connection.add_notice_handler(heard)
    if anew:
        connection.execute("DISCARD PLANS")
    connection.execute("SET debug_print_plan = on")
    connection.execute("SET debug_pretty_print = off")
    connection.execute("SET client_min_messages = log")

    def note(sql: str, params: Any, execute: Callable[[], Any]) -> Any:
        plans.current = shortened(sql, 300)
        return execute()

    try:
        with every_statement(note):
            yield plans
    finally:
        connection.execute("RESET client_min_messages")
        connection.execute("RESET debug_print_plan")
        connection.remove_notice_handler(heard)


def _plan(tree: str, context: str, names: dict[int, str], current: str) -> Plan:
    tree = " ".join(tree.split())  # the server breaks its lines between any two words
    ranges = [int(relid) if kind == "0" and relid else 0 for kind, relid in _RANGE.findall(tree)]
    scans = []
    for kind, place, index in _SCAN.findall(tree):
        relation = ranges[int(place) - 1] if 0 < int(place) <= len(ranges) else 0
        scans.append((_NAMES[kind], names.get(relation, "?"), names.get(int(index), "") if index else ""))
    statement, function = _STATEMENT.search(context), _FUNCTION.search(context)
    return Plan(
        function=(function[1] or function[2]) if function else "",
        statement=" ".join(statement[1].split()) if statement else current,
        scans=tuple(scans),
    )
