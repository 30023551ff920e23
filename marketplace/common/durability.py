"""Acknowledged means durable (R10): no process of ours serves a database that may lose what it confirmed."""

import threading
from typing import Any

from django.db import OperationalError, ProgrammingError, connection
from django.db.backends.signals import connection_created

# Readers of events, and the sealer, go by the ids of transactions. A server that has not come that far yet was given a
# dump of another one: it would keep old events back, and pass over new ones.
AHEAD = "SELECT coalesce(max(c.xid) >= pg_snapshot_xmax(pg_current_snapshot()), false) FROM common_outboxcursor c"
BEHIND = (
    "Touchstone does not start on this database: it knows of transactions that this server has not come to, as after"
    " a dump was loaded into a new server. Restore a base backup instead (deploy/RUNBOOK.md)."
)

# What must be so, on the server and for our own sessions. `remote_apply` waits for replicas too.
WANTED = {"fsync": ("on",), "full_page_writes": ("on",), "synchronous_commit": ("on", "remote_apply")}


def refusal(settings: dict[str, str]) -> str | None:
    """Why a database with these settings is refused, in a sentence; None when it is not."""
    wrong = [f"{name} is {settings[name]}" for name, allowed in WANTED.items() if settings[name] not in allowed]
    if not wrong:
        return None
    return f"Touchstone does not start on this PostgreSQL: {', '.join(wrong)}, so that a crash may lose what was paid."


def require_durability() -> None:
    """End the process with one sentence if its database may lose what it confirmed, or has lost its place in time.
    Called at the start of each.

    Every connection made from then on is judged too. A server that is not there yet is judged when it is.
    """
    connection_created.connect(_judge, dispatch_uid="durability")
    # In a thread of its own: the live server starts inside an event loop, which may not wait for a database.
    found: list[str] = []
    look = threading.Thread(target=_look, args=[found], name="durability")
    look.start()
    look.join()
    if found:
        raise SystemExit(found[0])


class NotDurable(Exception):
    """A connection of a process that runs already shows settings under which it would not have started."""


def _look(found: list[str]) -> None:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute(AHEAD)
            if cursor.fetchone()[0]:
                found.append(BEHIND)
    except (OperationalError, ProgrammingError):
        pass  # it is not there yet, or was never migrated
    except NotDurable as refused:
        found.append(str(refused))
    finally:
        connection.close()


def _judge(connection: Any, **_: Any) -> None:
    if connection.alias != "default":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in WANTED))
        sentence = refusal(dict(zip(WANTED, cursor.fetchone(), strict=True)))
    if sentence:
        connection.close()
        raise NotDurable(sentence)
