"""The first steps of a data set: its items, a page at a time, and the look at all of them."""

import zlib
from collections import Counter
from typing import Any

import numpy as np

from marketplace.batches.simhash import simhash
from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from marketplace.results.alike import across, alike_groups
from marketplace.results.commands.holding import hold, keep
from marketplace.results.commands.names import gold_tasks_among
from marketplace.results.errors import BuildRefused
from marketplace.results.gathered import item_of, packed, unpacked
from marketplace.results.models import Dataset, DatasetPart
from marketplace.results.plans import Plan
from marketplace.results.queries.datasets import answers_to, item_page, next_rows, parts_of, tasks_in, without_result
from marketplace.results.splits import assign, draw_of
from marketplace.results.states import DatasetState, PartKind
from marketplace.results.validation import EXAMPLES, Tally, report, stratum_of
from workers.profiles.commands import pseudonyms


def gather(it: Dataset) -> None:
    """Keep the next page of items, or go on to the next state where there is none."""
    plan, fields = Plan.of(it), _fields(it)
    with one_transaction(principal="system"):
        hold(it)
        # As in imports: tasks and cursor are lost together, and the last step makes all before it durable.
        run("SET LOCAL synchronous_commit = off")
        page = item_page(it.run_id, after=it.after_task_id)
        if not page:
            if not it.items:
                raise BuildRefused("The results hold no items.")
            Dataset.objects.filter(pk=it.pk).update(state=DatasetState.ARRANGING)
            return
        gold = gold_tasks_among([row[0] for row in page])
        answers = _answers(it, [row[0] for row in page]) if plan.answers else {}
        rows: list[list[Any]] = []
        left_out = given = 0
        tally = Tally(it.tally.get("fields", {}), data=it.batch.version.interface["data"], answer=fields)
        signs: dict[str, list[Any]] = {"draw": [], "label": [], "hash": []}
        for task, external_id, data, results, version in page:
            if task in gold and not plan.gold:
                left_out += 1
                continue
            told = {
                name: [value, round(sure, 6), votes, method] for name, (value, sure, votes, method) in results.items()
            }
            row = [external_id, data, told, version, task in gold, answers.get(task, [])]
            item = item_of(row, number=it.items + len(rows), fields={field["name"]: field for field in fields})
            tally.see(item)
            if plan.splits:
                signs["draw"].append(draw_of(plan.seed, external_id))
                signs["label"].append(stratum_of(item, plan.stratify))
                signs["hash"].append(simhash(data))
            given += len(item.answers) if plan.answers else max(item.votes.values(), default=0)
            rows.append(row)
        if rows:
            keep(it, PartKind.ROWS, packed(rows), number=it.items)
            if plan.splits:
                keep(it, PartKind.SIGNS, packed([[signs]]), number=it.items)
        Dataset.objects.filter(pk=it.pk).update(
            after_task_id=page[-1][0],
            items=it.items + len(rows),
            answers=it.answers + given,
            tally={"fields": tally.told(), "left_out": it.tally.get("left_out", 0) + left_out},
        )


def arrange(it: Dataset) -> None:
    """Draw the splits and make the validation report. Raises `BuildRefused` where the report is to be clean and is
    not."""
    plan, fields = Plan.of(it), _fields(it)
    splits: dict[str, Counter[str]] | None = None
    crossing: list[tuple[str, str]] | None = None
    groups, drawn = 0, b""
    if plan.splits:
        signs: dict[str, list[Any]] = {"draw": [], "label": [], "hash": []}
        for part in parts_of(it.pk, PartKind.SIGNS):
            for name, values in unpacked(part)[0][0].items():
                signs[name] += values
        hashes = np.array(signs["hash"], dtype=np.int64)
        alike = alike_groups(hashes)
        chosen = assign(plan.splits, alike, signs["draw"], signs["label"])
        drawn = zlib.compress(chosen.tobytes(), 1)
        names = list(plan.splits)
        splits = {name: Counter() for name in names}
        for place, label in zip(chosen.tolist(), signs["label"], strict=True):
            splits[names[place]][label.replace("\0", " + ")] += 1
        groups = int((np.bincount(alike, minlength=len(alike)) > 1).sum())
        crossing = [(_id_of(it, one_), _id_of(it, other)) for one_, other in across(alike, chosen)]
    left_out = it.tally.get("left_out", 0)
    tasks = tasks_in(it.batch_id) - left_out
    told = report(
        Tally(it.tally.get("fields", {}), data=it.batch.version.interface["data"], answer=fields),
        items=it.items,
        tasks=tasks,
        unlabelled=without_result(it.batch_id, it.run_id, limit=EXAMPLES) if tasks > it.items else (),
        splits=splits,
        crossing=crossing,
        groups=groups,
    )
    if plan.require_valid and not told["ok"]:
        wrong = " ".join(check["message"] for check in told["checks"] if not check["ok"])
        with one_transaction(principal="system"):
            hold(it)
            Dataset.objects.filter(pk=it.pk).update(validation=told)
        raise BuildRefused(f"The validation report is not clean. {wrong}")
    with one_transaction(principal="system"):
        hold(it)
        DatasetPart.objects.filter(of=it, kind=PartKind.SIGNS).delete()
        if drawn:
            keep(it, PartKind.SPLITS, drawn)
        Dataset.objects.filter(pk=it.pk).update(state=DatasetState.WRITING, validation=told)


def _fields(it: Dataset) -> list[dict[str, Any]]:
    return list(it.batch.version.interface["answer"])


def _answers(it: Dataset, tasks: list[int]) -> dict[int, list[list[Any]]]:
    """Answers by task, with the requester's names for their workers."""
    given = list(answers_to(tasks))
    names = pseudonyms(requester_id=it.batch.requester_id, worker_ids={worker for _, worker, _ in given})
    found: dict[int, list[list[Any]]] = {}
    for task, worker, (public_id, *rest) in given:
        found.setdefault(task, []).append([public_id, names[worker], *rest])
    return found


def _id_of(it: Dataset, number: int) -> str:
    found = next_rows(it.pk, number=number)
    return "" if found is None else str(unpacked(found[1])[number - found[0]][0])
