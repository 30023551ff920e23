"""The figures of a run, as one JSON object and as lines for people."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.torture.findings import KINDS
from tests.torture.options import Options
from tests.torture.plan import Fault, counts
from tests.torture.run import Outcome

SHOWN = 12
ACKNOWLEDGED = (
    "answer",
    "return",
    "accept",
    "reject",
    "uphold",
    "bonus",
    "payout",
    "deposit",
    "batch",
    "import",
    "run",
    "dataset",
    "archive",
    "sanction",
    "adjudication",
    "pilot",
    "link",
    "role",
)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which that share lies; 0 for none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def figures(options: Options, outcome: Outcome, planned: list[Fault]) -> dict[str, Any]:
    """Everything that is counted. `ok` says that the run is clean and that it was the run that was planned."""
    outcome.journals.read_on()
    facts = outcome.journals.facts
    kills = sum(fault.kills for fault in outcome.happened)
    wrong = {kind: outcome.findings.count(kind) for kind in KINDS}
    planned_kills = sum(fault.kills for fault in planned)
    done = Counter(fact["did"] for fact in facts if fact["did"] in ACKNOWLEDGED)
    refused = Counter(fact["status"] for fact in facts if fact["did"] == "5xx")
    return {
        "seed": options.seed,
        "seconds": round(outcome.seconds, 1),
        "mode": options.mode,
        "clients": options.clients,
        "tasks": options.tasks,
        "overlap": options.overlap,
        "acknowledged": sum(done.values()),
        "acknowledged_by_kind": dict(sorted(done.items())),
        "answers": done["answer"],
        "unknown": sum(fact["did"] == "unknown" for fact in facts),
        **wrong,
        "late_returns": len(outcome.late_returns),
        "late_returns_p99_s": round(percentile(outcome.late_returns, 0.99), 2),
        "late_returns_max_s": round(outcome.late_returns[-1] if outcome.late_returns else 0.0, 2),
        "data_sets": dict(sorted(Counter(state for state, _ in outcome.data_sets).items())),
        "data_sets_max_s": round(max((built for _, built in outcome.data_sets), default=0.0), 2),
        "kills": kills,
        "kills_planned": planned_kills,
        "faults": counts(outcome.happened),
        "answers_cut": outcome.cut,
        "refused_5xx_in_faults": sum(refused.values()) - wrong["http_5xx"],
        "refused_by_status": {str(status): number for status, number in sorted(refused.items())},
        "broken_s": round(outcome.broken_s, 1),
        "excused_s": round(outcome.excused_s, 1),
        "attacks_refused": outcome.attacks,
        "checks": outcome.looks,
        "at_rest_after_s": round(outcome.finish_s, 1),
        "ok": not any(wrong.values()) and kills >= planned_kills,
    }


def lines(figures: dict[str, Any], outcome: Outcome) -> list[str]:
    """For people: what happened, then what is wrong."""
    told = [
        f"seed {figures['seed']}, {figures['mode']}, {figures['seconds']} s, {figures['clients']} clients,"
        f" {figures['tasks']} tasks × {figures['overlap']}",
        f"  acknowledged   {figures['acknowledged']} ({figures['unknown']} writes stayed unknown):"
        f" {', '.join(f'{kind} {number}' for kind, number in figures['acknowledged_by_kind'].items())}",
        f"  kills          {figures['kills']} of {figures['kills_planned']} planned",
        f"  faults         {', '.join(f'{kind} {number}' for kind, number in figures['faults'].items())}",
        f"  broken         for {figures['broken_s']} s; for {figures['excused_s']} s the site had a reason to refuse,"
        f" and did: {figures['refused_by_status']}",
        f"  answers cut    {figures['answers_cut']} after the server gave them",
        f"  attacks        {figures['attacks_refused']} by raw SQL",
        f"  late returns   p99 {figures['late_returns_p99_s']} s, longest {figures['late_returns_max_s']} s,"
        f" of {figures['late_returns']} leases that ran out",
        f"  data sets      {figures['data_sets']}, the longest took {figures['data_sets_max_s']} s",
        f"  looks          {figures['checks']} by the checkers; at rest after {figures['at_rest_after_s']} s",
    ]
    told += [f"  {kind:<22} {figures[kind]}" for kind in KINDS]
    return told + findings(outcome) + ["clean" if figures["ok"] else "NOT CLEAN"]


def findings(outcome: Outcome) -> list[str]:
    """The first findings, each with its detail."""
    found = outcome.findings.all()
    told = [f"  {finding.kind}: {finding.what} (by {finding.by}) {finding.detail[:600]}" for finding in found[:SHOWN]]
    return told + ([f"  … and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])
