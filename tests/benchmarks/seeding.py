"""What a benchmark starts from: a requester with money, workers with keys, published batches.

All of it is made by the product's own commands and its API, in process, so that queue, walks and progress are what they
would be whatever their form.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, BinaryIO
from uuid import uuid4

from tests.benchmarks.report import progress

INTERFACE = {
    "data": [{"name": "text", "type": "text"}],
    "answer": [
        {
            "name": "label",
            "type": "choice",
            "labels": [{"value": value, "title": value.title()} for value in ("positive", "negative", "neutral")],
        }
    ],
}
VALUES = {"label": "positive"}
PRICE_MICROS = 1_000
HOUR_S = 3_600


@dataclass(frozen=True)
class SeededWorker:
    """A worker with a key for the API."""

    id: int
    key: str


@dataclass(frozen=True)
class SeededBatch:
    """A published batch, and how long its import and its publication took."""

    id: int
    public_id: str
    tasks: int
    overlap: int
    import_s: float
    publish_s: float

    @property
    def places(self) -> int:
        return self.tasks * self.overlap


class Market:
    """A market with one rich requester and one project."""

    def __init__(self) -> None:
        import django

        django.setup()
        from marketplace.accounts.commands import create_key
        from marketplace.accounts.models import Member, Requester, Scope, User
        from marketplace.common.transactions import one_transaction
        from marketplace.ledger.addresses import funds_of, outside
        from marketplace.ledger.commands import Move, move
        from marketplace.projects.commands import create_project, publish_version

        owner = User.objects.create(email=f"owner-{uuid4().hex[:8]}@example.org")
        self.requester = Requester.objects.create(name="Bench")
        Member.objects.create(requester=self.requester, user=owner, role="owner")
        with one_transaction(principal="bench"):
            self.key = create_key(user=owner, name="bench", scopes=[Scope.REQUESTER], life=timedelta(days=2))[1]
            deposit = Move(
                key=f"deposit:{uuid4()}",
                kind="deposit",
                source=outside("bank"),
                destination=funds_of(self.requester.public_id),
                currency="EUR",
                amount_micros=10**15,
            )
            move([deposit])
        with one_transaction(principal="bench"):
            self.project = create_project(
                requester_id=self.requester.pk, name="Bench", interface=INTERFACE, instructions="Say how it sounds."
            )
        with one_transaction(principal="bench"):
            publish_version(project=self.project, number=1)
        self._numbers = count(1)

    def workers(self, number: int) -> list[SeededWorker]:
        """New workers."""
        from marketplace.accounts.commands import create_key
        from marketplace.accounts.models import Scope, User
        from marketplace.common.transactions import one_transaction
        from workers.profiles.commands import become_worker

        made = []
        with one_transaction(principal="bench"):
            for _ in range(number):
                user = User.objects.create(email=f"w{next(self._numbers)}-{uuid4().hex[:8]}@example.org")
                worker = become_worker(user_id=user.pk)
                key = create_key(user=user, name="bench", scopes=[Scope.WORKER], life=timedelta(days=2))[1]
                made.append(SeededWorker(worker.pk, key))
        return made

    def draft(self, *, overlap: int = 3, **terms: Any) -> Any:
        """A draft batch without tasks."""
        from marketplace.batches.commands.create import Terms, create_batch
        from marketplace.batches.costs import Platform
        from marketplace.common.transactions import one_transaction

        wanted = {"time_limit_s": HOUR_S, **terms}
        with one_transaction(principal="bench"):
            return create_batch(
                project=self.project,
                version=self.project.versions.get(number=1),
                terms=Terms(name=f"Bench {next(self._numbers)}", price_micros=PRICE_MICROS, overlap=overlap, **wanted),
                platform=Platform(fee_basis_points=1_000),
            )

    def batch(self, tasks: int, *, overlap: int = 3, known: int = 0, **terms: Any) -> SeededBatch:
        """A published batch of that many tasks, and of `known` gold tasks besides."""
        from marketplace.batches.commands.import_tasks import import_tasks
        from marketplace.batches.commands.lifecycle import publish_batch
        from marketplace.batches.rows import read_jsonl
        from marketplace.common.transactions import one_transaction

        draft = self.draft(overlap=overlap, **terms)
        with jsonl_file(tasks, known) as file:
            began = time.perf_counter()
            with one_transaction(principal="bench"):
                import_tasks(batch_id=draft.pk, source=read_jsonl(file), body_sha256=b"bench")
        imported = time.perf_counter()
        with one_transaction(principal="bench"):
            publish_batch(batch_id=draft.pk)
        done = time.perf_counter()
        if tasks >= 100_000:
            progress(f"  {tasks:,} tasks: imported in {imported - began:.1f} s, published in {done - imported:.2f} s")
        return SeededBatch(draft.pk, str(draft.public_id), tasks, overlap, imported - began, done - imported)


def jsonl(tasks: int, known: int = 0) -> Iterator[bytes]:
    """Lines of an import, each with about 200 bytes of data; the last `known` ones are gold."""
    filler = "lorem ipsum dolor sit amet " * 6
    for number in range(1, tasks + known + 1):
        row: dict[str, Any] = {"external_id": f"t{number}", "data": {"text": f"task {number} {filler}"}}
        if number > tasks:
            row["gold"] = VALUES
        yield json.dumps(row).encode() + b"\n"


@contextmanager
def jsonl_file(tasks: int, known: int = 0) -> Iterator[BinaryIO]:
    """The same as a file, which is removed afterwards."""
    with tempfile.TemporaryFile(dir=os.environ.get("TOUCHSTONE_DATA")) as file:
        file.writelines(jsonl(tasks, known))
        file.seek(0)
        yield file  # type: ignore[misc]


def analyze(database: str | None = None) -> None:
    """Fresh statistics for the planner, as autovacuum would give them after a while."""
    import psycopg
    from django.conf import settings

    other = {"dbname": database} if database else {}
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True, **other) as owner:  # type: ignore[arg-type]
        owner.execute("VACUUM ANALYZE")


def warm(batch_ids: Sequence[int]) -> None:
    """Read the tables of the hot path once, so that the first claims do not pay for cold pages."""
    from marketplace.common.database import acting_as, rows
    from marketplace.common.transactions import one_transaction

    for table in ("batches_task", "batches_payload", "batches_openplace"):
        with one_transaction(principal="bench"), acting_as("gold_reader"):
            rows(f"SELECT count(*) FROM {table} WHERE batch_id = ANY(%s)", [list(batch_ids)])
