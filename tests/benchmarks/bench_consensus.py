"""What running consensus costs for each answer, from the outbox to the outcome for reputation.

    ./run bench consensus [--tasks 4000] [--overlap 5] [--json]

Workers answer every place of a batch; then one sweep reads what happened, makes the consensus of every task and records
how each answer agrees with the others. The time of the sweep alone is measured, and CPU of this process and of
PostgreSQL for it. The weighing itself, in NumPy, is measured apart.
"""

import argparse
import time
from typing import Any

from tests.benchmarks.report import give, progress, table


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """One batch, one sweep."""
    import numpy as np

    from marketplace.aggregation.running import running_consensus
    from marketplace.aggregation.votes import Votes
    from marketplace.common.database import value
    from marketplace.common.outbox import backlog
    from marketplace.common.promises import check_promises
    from marketplace.results.queries.consensus import batches_to_consider
    from marketplace.results.tasks import follow_consensus
    from tests.benchmarks.in_process import answer_pages
    from tests.benchmarks.seeding import Market

    market = Market()
    batch = market.batch(asked.tasks, overlap=asked.overlap)
    progress(f"  {batch.places:,} answers …")
    for worker in market.workers(asked.overlap):
        answer_pages(worker, batch, asked.tasks, page=100)
    began, cpu = time.perf_counter(), time.process_time()
    rounds = 0
    while backlog("consensus") or batches_to_consider():
        follow_consensus()
        rounds += 1
    took, used = time.perf_counter() - began, time.process_time() - cpu
    judged = value("SELECT count(*) FROM results_consensus WHERE judged_at IS NOT NULL")

    chance = np.random.default_rng(1)
    votes = Votes(
        np.repeat(np.arange(asked.tasks), asked.overlap), np.tile(np.arange(asked.overlap), asked.tasks),
        chance.integers(0, 3, batch.places), asked.tasks, asked.overlap, 3,
    )  # fmt: skip
    began = time.perf_counter()
    running_consensus(votes, np.full((asked.overlap, 3), 0.8))
    weighing = time.perf_counter() - began
    return {
        "options": vars(asked),
        "answers": batch.places,
        "tasks_judged": judged,
        "sweeps": rounds,
        "seconds": round(took, 2),
        "ms_per_answer": round(1_000 * took / batch.places, 3),
        "python_cpu_ms_per_answer": round(1_000 * used / batch.places, 3),
        "weighing_us_per_answer": round(1e6 * weighing / batch.places, 2),
        "violations": sum(finding.violations for finding in check_promises()),
    }


def described(results: dict[str, Any]) -> str:
    """The results as a table."""
    facts = [name for name in results if name != "options"]
    return table(["what", "figure"], [[name, results[name]] for name in facts])


def main(argv: list[str]) -> int:
    """Run the command; its exit code: 1 when a task was left out or a promise is broken."""
    parser = argparse.ArgumentParser(prog="./run bench consensus", description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=4_000)
    parser.add_argument("--overlap", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    import django

    django.setup()
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return int(results["tasks_judged"] != asked.tasks or bool(results["violations"]))
