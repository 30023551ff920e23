"""The board as sockets show it: what is the same for everybody, and which of it one worker may take."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from marketplace.accounts.models import STOPPING, Member, Sanction
from marketplace.accounts.queries import live_sanctions
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.database import rows
from marketplace.results.queries import rejection_rates
from workers.assignments.audience import closed_by, refusals_in, refusals_of, stops_of
from workers.live.pay import pay_of

OWN = "Nobody works on a batch of his own organisation."


def board_state(batch_ids: Collection[int] | None = None) -> dict[str, dict[str, Any]]:
    """The batches on the board (of these ids, or all), by public id, with what every worker may know of each.

    `places_left` counts gold as any other work, and is 0 where nothing can be claimed any more. `pay` is what an hour
    was paid (`Pay`), None where too little is known. A fixed number of statements, however many batches.
    """
    batches = _running(batch_ids)
    if not batches:
        return {}
    ids = [batch.pk for batch in batches]
    left, pay = places_left(ids), pay_of(ids)
    rates = rejection_rates(batch.requester_id for batch in batches)
    return {
        str(batch.public_id): {
            "name": batch.name,
            "requester": {
                "id": str(batch.requester.public_id),
                "name": batch.requester.name,
                "rejection_rate": rates[batch.requester_id].rate,
                "rejections": rates[batch.requester_id].rejected,
                "rejections_upheld": rates[batch.requester_id].upheld,
            },
            "price_micros": batch.price_micros,
            "currency": batch.currency,
            "pay_per_hour": asdict(pay[batch.pk]) if batch.pk in pay else None,
            "places_left": left[batch.pk],
            "time_limit_s": batch.time_limit_s,
            "version": batch.version.number,
            "needs": bool(batch.audience or batch.head_start_s),
        }
        for batch in batches
    }


def may_take(
    worker_id: int, batch_ids: Collection[int] | None = None, *, device: str | None = None
) -> dict[str, str | None]:
    """Why each of the batches on the board (of these ids, or all) is closed to the worker, by public id; None where it
    is open. Limits of how much one may do are not looked at: a claim says those. A fixed number of statements."""
    batches = _running(batch_ids)
    if not batches:
        return {}
    own = {
        row[0]
        for row in rows(
            "SELECT m.requester_id FROM profiles_worker me JOIN profiles_worker w ON w.person_id = me.person_id"
            " JOIN accounts_member m ON m.user_id = w.user_id WHERE me.id = %s",
            [worker_id],
        )
    }
    stops = stops_of(worker_id)
    refused = refusals_in(batches, worker_id=worker_id, device=device)

    def why(batch: Batch) -> str | None:
        if batch.requester_id in own:
            return OWN
        return closed_by(stops, batch) or (refused[batch.pk].words if batch.pk in refused else None)

    return {str(batch.public_id): why(batch) for batch in batches}


def closed_to(batch_id: int, worker_ids: Collection[int]) -> dict[int, str]:
    """To which of the workers the batch is closed, and why, as `may_take` says it of one; devices are those last seen.

    For a batch that changes under the eyes of many: a fixed number of statements, however many they are. Raises
    `Batch.DoesNotExist`.
    """
    batch = Batch.objects.get(pk=batch_id)
    wanted = sorted(set(worker_ids))
    accounts: dict[int, set[int]] = {worker: set() for worker in wanted}
    for worker, user in rows(
        "SELECT me.id, w.user_id FROM profiles_worker me JOIN profiles_worker w ON w.person_id = me.person_id"
        " WHERE me.id = ANY (%s)",
        [wanted],
    ):
        accounts[worker].add(user)
    members = set(Member.objects.filter(requester_id=batch.requester_id).values_list("user_id", flat=True))
    stops: dict[int, list[Sanction]] = {}
    for stop in live_sanctions(sorted(set().union(*accounts.values())), measures=STOPPING):
        stops.setdefault(stop.user_id, []).append(stop)
    refused = refusals_of(batch, worker_ids=wanted)
    found = {}
    for worker, users in accounts.items():
        mine = [stop for user in users & stops.keys() for stop in stops[user]]
        why = OWN if users & members else closed_by(mine, batch)
        if why or worker in refused:
            found[worker] = why or refused[worker].words
    return found


def places_left(batch_ids: Collection[int]) -> dict[int, int]:
    """How many places of each batch nobody holds or has answered, gold included; by its counts, in one statement.

    Where no ordinary task is open nothing can be claimed, and so nothing is left."""
    return dict(
        rows(
            """
            SELECT q.id, CASE WHEN assignments_has_open(q.id) THEN greatest(0, coalesce(l.places, 0) - n.taken
                              + coalesce(u.upheld, 0) - coalesce(r.refunded, 0)) ELSE 0 END::bigint
              FROM unnest(%s::bigint[]) q (id)
              LEFT JOIN batches_tail l ON l.batch_id = q.id
              CROSS JOIN LATERAL (
                  SELECT coalesce(sum(d.leased + d.submitted + d.accepted), 0) AS taken FROM (
                      SELECT leased, submitted, accepted FROM batches_progress WHERE batch_id = q.id UNION ALL
                      SELECT leased, submitted, accepted FROM batches_progressdelta WHERE batch_id = q.id) d) n
              CROSS JOIN LATERAL (
                  SELECT count(*) AS upheld FROM assignments_rejection j
                    JOIN assignments_uphold o ON o.assignment_id = j.assignment_id WHERE j.batch_id = q.id) u
              CROSS JOIN LATERAL (
                  SELECT sum(t.refunded) AS refunded FROM batches_task t
                   WHERE t.batch_id = q.id AND t.quarantined_at IS NOT NULL) r
            """,
            [sorted(set(batch_ids))],
        )
    )


def _running(batch_ids: Collection[int] | None) -> list[Batch]:
    found = Batch.objects.filter(state=BatchState.PUBLISHED).select_related("requester", "version").order_by("pk")
    return list(found if batch_ids is None else found.filter(pk__in=batch_ids))
