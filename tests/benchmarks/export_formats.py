"""One data set in one format, built in a process of its own, so that its memory is its own.

python -m tests.benchmarks.export_formats BATCH FORMAT [SPLITS]: prints seconds, answers and MiB as JSON.
"""

import json
import os
import subprocess
import sys
import time
from typing import Any

from tests.benchmarks.bench_import import forget_peaks, peak_mib

LABELS = [{"value": "car"}, {"value": "tree"}]
PICTURE = {"of": "image", "width": 640, "height": 480}
SQUARE = [[10, 10], [110, 10], [110, 110], [10, 110]]
# What is asked for in each kind of results, and what each of them says: three things, as pictures have them.
KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "boxes": (
        {"type": "boxes", "labels": LABELS, **PICTURE},
        [{"label": "car", "x": 50 * n, "y": 20, "width": 40, "height": 30} for n in (1, 2, 3)],
    ),
    "polygons": (
        {"type": "polygons", "labels": LABELS, **PICTURE},
        [{"label": "tree", "points": [[x + 120 * n, y] for x, y in SQUARE]} for n in (0, 1, 2)],
    ),
    "keypoints": (
        {
            "type": "keypoints", "labels": LABELS[:1], **PICTURE,
            "skeletons": {"car": {"points": ["front", "back"], "edges": [["front", "back"]]}},
        },
        [
            {
                "label": "car",
                "points": {
                    "front": {"x": 10 * n, "y": 20, "visibility": "visible"}, "back": {"visibility": "absent"},
                },
            }
            for n in (1, 2, 3)
        ],
    ),
    "mask": (
        {"type": "mask", "mode": "instance", "labels": LABELS, **PICTURE},
        {
            "height": 480, "width": 640,
            "objects": [
                {"label": "car", "instance": n, "counts": [48_000 * n, 40_000, 640 * 480 - 48_000 * n - 40_000]}
                for n in (1, 2, 3)
            ],
        },
    ),
    "spans": (
        {"type": "spans", "of": "text", "labels": LABELS},
        {
            "spans": [{"id": str(n), "label": "car", "start": 5 * n, "end": 5 * n + 4} for n in (1, 2, 3)],
            "relations": [],
        },
    ),
}  # fmt: skip
KIND_OF = {
    "coco": "boxes", "voc": "boxes", "yolo": "boxes", "cvat": "boxes", "label_studio": "boxes",
    "yolo_segmentation": "polygons", "coco_keypoints": "keypoints", "yolo_pose": "keypoints",
    "coco_panoptic": "mask", "mask_png": "mask", "conll": "spans",
}  # fmt: skip
# Of how many answers, at most: pictures of pixels take a thousand times as long as words.
MOST = {"boxes": 100_000, "polygons": 100_000, "keypoints": 100_000, "spans": 100_000, "mask": 3_000}


def seeded_results(market: Any, tasks: int, overlap: int, kind: str = "") -> int:
    """A batch of that many tasks with a result each, as if `overlap` answers had been given; its id."""
    from marketplace.common.database import run
    from marketplace.common.transactions import one_transaction
    from marketplace.projects.commands import create_project, publish_version

    value = """to_jsonb((ARRAY['positive', 'negative', 'neutral'])[1 + t.id % 3])"""
    if kind:
        field, said = KINDS[kind]
        interface = {
            "data": [{"name": "text", "type": "text"}, {"name": "image", "type": "image", "required": False}],
            "answer": [{"name": "label", **field}],
        }
        with one_transaction(principal="bench"):
            market.project = create_project(
                requester_id=market.requester.pk, name=f"Bench {kind}", interface=interface, instructions="Mark them."
            )
        with one_transaction(principal="bench"):
            publish_version(project=market.project, number=1)
        value = f"'{json.dumps(said)}'::jsonb"
    batch = market.batch(tasks, overlap=overlap)
    with one_transaction(principal="bench"):
        run(
            "INSERT INTO results_run (public_id, batch_id, method, tasks, answers, converged, iterations, final,"
            " made_at) VALUES (gen_random_uuid(), %s, 'majority', %s, %s, true, 0, false, market_now())",
            [batch.id, tasks, tasks * overlap],
        )
        run(
            "INSERT INTO results_result (run_id, task_id, field, value, confidence, answers, method, version)"
            f" SELECT r.id, t.id, 'label', {value.replace('%', '%%')}, 0.9, %s, 'majority', 1"
            " FROM batches_task t JOIN results_run r ON r.batch_id = t.batch_id WHERE t.batch_id = %s",
            [overlap, batch.id],
        )
    return int(batch.id)


def measured(batch_id: int, format: str, splits: dict[str, float] | None = None, *, answers: bool = False) -> Any:
    """Run this module in a process of its own."""
    argv = [sys.executable, "-m", "tests.benchmarks.export_formats", str(batch_id), format]
    argv += [json.dumps(splits), json.dumps(answers)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr.strip()[-300:]}


def build(batch_id: int, format: str, splits: dict[str, float] | None, answers: bool) -> dict[str, Any]:
    """Ask for the version and take all its steps."""
    import django

    django.setup()
    from marketplace.batches.models import Batch
    from marketplace.common.transactions import one_transaction
    from marketplace.results.commands.datasets import advance, ask_for_dataset
    from marketplace.results.commands.holding import take_next
    from marketplace.results.queries import run_for
    from marketplace.results.writers.registry import writers

    batch = Batch.objects.select_related("version", "project", "requester").get(pk=batch_id)
    writers()
    # The kernel's own figure for a process begins with the peak of whoever forked it.
    forget_peaks([os.getpid()])
    resting = peak_mib([os.getpid()])
    began, cpu = time.perf_counter(), time.process_time()
    with one_transaction(principal="bench"):
        it = ask_for_dataset(
            batch=batch,
            run_of=run_for(batch, None),
            format=format,
            options={},
            plan={"splits": splits, "answers": answers},
            by=batch.requester.members.earliest("pk").user_id,
        )
    with one_transaction(principal="bench"):
        taken = take_next()
    assert taken is not None
    assert taken.pk == it.pk
    steps: list[float] = []
    last = time.perf_counter()
    for _ in advance(taken):
        now = time.perf_counter()
        steps.append(now - last)
        last = now
    seconds = time.perf_counter() - began
    it.refresh_from_db()
    assert it.state == "done", it.error
    return {
        "items": it.items,
        "answers": it.answers,
        "bytes": it.size,
        "seconds": round(seconds, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "longest_step_s": round(max(steps), 2),
        "answers_per_s": round(it.answers / seconds),
        "peak_growth_mib": peak_mib([os.getpid()]) - resting,
    }


if __name__ == "__main__":
    print(json.dumps(build(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4]))))
