"""Promises as SQL views: each `inv_rNN…` returns the rows that break it; its comment says the promise."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from marketplace.common.database import rows


@dataclass(frozen=True)
class Finding:
    """One promise and the first rows that break it; no rows means that it holds."""

    name: str
    sentence: str
    columns: list[str]
    violations: int
    first: list[tuple[Any, ...]]


def check_promises(*, show: int = 5) -> list[Finding]:
    """Evaluate every promise view of the database, in order of name."""
    findings = []
    views = rows(
        "SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), c.relname) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'v' AND c.relname LIKE 'inv\\_r%' AND n.nspname = 'public' ORDER BY c.relname"
    )
    for name, sentence in views:
        quoted = connection.ops.quote_name(name)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) OVER (), v.* FROM {quoted} v LIMIT %s", [max(show, 1)])
            found = cursor.fetchall()
            columns = [column.name for column in cursor.description[1:]]
        findings.append(
            Finding(name, sentence, columns, found[0][0] if found else 0, [row[1:] for row in found][:show])
        )
    return findings
