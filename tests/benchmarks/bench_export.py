"""Export of answers over HTTP, beside COPY of the same rows out of the database; and versions of data sets, format by
format, each built in a process of its own.

./run bench export [--answers 20000] [--repeat 3] [--results 300000] [--formats jsonl,csv,…] [--json]

`--results` is how many answers the results stand for from which data sets are built (three for each task; fewer for
shapes and masks, which say three things each): they are written straight into the tables. Formats with single answers
are measured on the answers that were given.
"""

import argparse
import os
import time
from typing import Any

import psycopg

from tests.benchmarks import cpu
from tests.benchmarks.bench_import import forget_peaks, peak_mib, processes_of
from tests.benchmarks.export_formats import KIND_OF, MOST, measured, seeded_results
from tests.benchmarks.in_process import answer_pages
from tests.benchmarks.report import give, median_of, progress, ratio, table
from tests.benchmarks.requester import Requester
from tests.benchmarks.seeding import Market, SeededBatch, analyze

COPY = (
    "COPY (SELECT t.external_id, a.worker_id, w.values, a.state, a.submitted_at FROM assignments_assignment a"
    " JOIN batches_task t ON t.id = a.task_id JOIN assignments_answer w ON w.assignment_id = a.id"
    " WHERE a.batch_id = {} ORDER BY a.id) TO STDOUT"
)
WORKERS = 3


def copied_out(batch: SeededBatch) -> float:
    """Seconds of COPY alone."""
    from django.conf import settings

    with psycopg.connect(settings.DATABASE_OWNER_URL) as owner:
        began = time.perf_counter()
        with owner.cursor().copy(COPY.format(batch.id)) as copy:
            for _ in copy:
                pass
        return time.perf_counter() - began


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Seed, accept, export."""
    market, roots = Market(), cpu.site_processes()
    requester = Requester(int(os.environ["TOUCHSTONE_PORT"]), market.key)
    each = asked.answers // WORKERS
    batch = market.batch(each, overlap=WORKERS)
    progress(f"Giving {each * WORKERS:,} answers …")
    for worker in market.workers(WORKERS):
        answer_pages(worker, batch, each)
    while requester.call("POST", f"/batches/{batch.public_id}/answers/accept", {"all_submitted": True})["remaining"]:
        pass
    analyze()
    runs = []
    for turn in range(asked.repeat):
        progress(f"Round {turn + 1} of {asked.repeat}")
        run: dict[str, Any] = {"copy": {"rows_per_s": round(each * WORKERS / copied_out(batch))}}
        for form in ("jsonl", "csv"):
            pids = processes_of([roots["web"]])
            forget_peaks(pids)
            resting = peak_mib(pids)
            window = cpu.Window(roots)
            size, lines = requester.size_of(f"/batches/{batch.public_id}/exports/answers.{form}")
            seconds, used, _ = window.close()
            answers = lines - (form == "csv")
            run[form] = {
                "answers": answers,
                "bytes": size,
                "seconds": round(seconds, 3),
                "rows_per_s": round(answers / seconds),
                "web_cpu_ms_per_1000": round(1e6 * used["web"] / max(1, answers), 2),
                "peak_growth_mib": peak_mib(pids) - resting,
            }
        runs.append(run)
    medians = median_of(runs)
    from marketplace.results.writers.registry import writers

    aggregated(batch.id)
    formats = asked.formats.split(",") if asked.formats else list(writers())
    versions: dict[str, Any] = {}
    large = seeded_results(market, asked.results // WORKERS, WORKERS) if asked.results else 0
    by_kind = {
        kind: seeded_results(market, min(asked.results, MOST[kind]) // WORKERS, WORKERS, kind)
        for kind in sorted({KIND_OF[form] for form in formats if form in KIND_OF})
        if asked.results
    }
    analyze()
    for form in formats:
        progress(f"Data set as {form} …")
        if writers()[form].answers or not large:
            versions[form] = measured(batch.id, form, answers=True)
        else:
            versions[form] = measured(by_kind[KIND_OF[form]] if form in KIND_OF else large, form)
    if large:
        progress("Data set as jsonl with splits …")
        versions["jsonl, in splits"] = measured(large, "jsonl", {"train": 0.8, "val": 0.1, "test": 0.1})
    return {
        "options": vars(asked),
        "versions": versions,
        **medians,
        "jsonl_to_copy": ratio(medians["jsonl"]["rows_per_s"], medians["copy"]["rows_per_s"]),
        "to_label_studio_measured_once": ratio(medians["jsonl"]["rows_per_s"], 1_700),
    }


def aggregated(batch_id: int) -> None:
    """Make results of the answers."""
    from marketplace.common.transactions import one_transaction
    from marketplace.results.commands.aggregate import aggregate

    with one_transaction(principal="bench"):
        aggregate(batch_id=batch_id, method="majority")


def described(results: dict[str, Any]) -> str:
    """The results as a table."""
    columns = ("answers", "seconds", "rows_per_s", "web_cpu_ms_per_1000", "peak_growth_mib")
    rows = [[name, *(results[name].get(part) for part in columns)] for name in ("copy", "jsonl", "csv")]
    parts = ("answers", "seconds", "answers_per_s", "longest_step_s", "peak_growth_mib", "error")
    versions = [[name, *(found.get(part) for part in parts)] for name, found in results["versions"].items()]
    return (
        table(["what", "answers", "seconds", "answers/s", "web CPU ms for 1,000", "more MiB at the peak"], rows)
        + f"\n\nJSONL to COPY: {results['jsonl_to_copy']}; to the 1,700 answers/s of Label Studio (measured once):"
        f" {results['to_label_studio_measured_once']} (budget: 20)\n\n"
        + table(["version as", "answers", "seconds", "answers/s", "longest step", "more MiB at the peak", ""], versions)
    )


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench export", description=__doc__.partition("\n")[0])
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--results", type=int, default=300_000)
    parser.add_argument("--formats", default="")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return 0
