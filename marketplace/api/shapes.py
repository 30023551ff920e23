"""What the requester's side answers with: fields listed one by one."""

from dataclasses import asdict
from typing import Any

from marketplace.batches.models import Batch, Import
from marketplace.batches.queries import BatchProgress, Estimate
from marketplace.projects.models import Project, Version
from marketplace.results.models import Run


def project_shape(project: Project) -> dict[str, Any]:
    return {
        "id": project.public_id,
        "requester": project.requester.public_id,
        "name": project.name,
        "versions": [
            {"number": version.number, "state": version.state} for version in project.versions.order_by("number")
        ],
    }


def version_shape(version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "state": version.state,
        "interface": version.interface,
        "instructions": version.instructions,
        "published_at": version.published_at,
    }


def batch_shape(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.public_id,
        "project": batch.project.public_id,
        "requester": batch.requester.public_id,
        "name": batch.name,
        "state": batch.state,
        "pause_reason": batch.pause_reason,
        "price_micros": batch.price_micros,
        "fee_micros": batch.fee_micros,
        "currency": batch.currency,
        "overlap": batch.overlap,
        "time_limit_s": batch.time_limit_s,
        "auto_accept_s": batch.auto_accept_s,
        "lease_cap": batch.lease_cap,
        "version": batch.version.number,
        "audience": batch.audience,
        "gold": batch.gold_policy,
        "aggregation": batch.aggregation,
        "published_at": batch.published_at,
        "settled_at": batch.settled_at,
    }


def import_shape(done: Import) -> dict[str, Any]:
    return {
        "tasks": done.tasks,
        "gold": done.gold_tasks,
        "reserved": done.reserved_tasks,
        "places": done.places,
        "sha256": bytes(done.body_sha256).hex(),
    }


def estimate_shape(estimate: Estimate) -> dict[str, Any]:
    return asdict(estimate)


def progress_shape(progress: BatchProgress) -> dict[str, Any]:
    return asdict(progress)


def run_shape(run: Run) -> dict[str, Any]:
    return {
        "id": run.public_id,
        "method": run.method,
        "tasks": run.tasks,
        "answers": run.answers,
        "converged": run.converged,
        "iterations": run.iterations,
        "final": run.final,
        "created_at": run.made_at,
    }
