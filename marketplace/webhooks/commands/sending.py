"""Sending deliveries in steps that survive a crash between any two.

1. `take_due` holds lanes under a lease, writes down that a try of the first delivery in each begins, and commits.
2. The receiver is asked, outside of any transaction.
3. `record` writes down what came of it, if the lease is still held, and begins the next of the lane.

Where 3 is missing, the lane is taken again once the lease has ended, and the same delivery is sent again: a receiver
may see an event twice, by its id, and never out of order. Tries that were cut off count, so that nothing is sent for
ever.
"""

from dataclasses import dataclass
from uuid import UUID, uuid4

from marketplace.accounts.models import Member, Notice, Role
from marketplace.common.database import rows, run
from marketplace.common.sealing import Unsealable
from marketplace.common.transactions import require_transaction
from marketplace.webhooks.locks import lane_held
from marketplace.webhooks.models import ERROR_MAX, Subscription
from marketplace.webhooks.signing import opened, signature
from marketplace.webhooks.states import DeliveryState, Kind, next_wait_s

# Longer than a request may take, by far.
LEASE = "interval '60 seconds'"
# So many lanes of one subscription are sent at once, so that a slow receiver keeps nobody waiting but himself.
LANES_EACH = 2
CUT_OFF = "cut off with its process; it may have arrived"
SENDS = "(s.state = 'active' OR s.state <> 'removed' AND l.batch_id IS NULL)"


@dataclass(frozen=True)
class Held:
    """A delivery that this process, and nobody else, may send now. `signature` is empty where the secret cannot be read
    any more."""

    lane_id: int
    lease: UUID
    delivery_id: int
    attempt_id: int
    tries: int
    kind: str
    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of a try: a status, or an error in words for the requester."""

    status: int | None
    error: str
    duration_ms: int

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status <= 299


def take_due(*, limit: int) -> list[Held]:
    """Hold up to so many lanes whose first delivery is due, few of each subscription, and begin its try."""
    require_transaction()
    lease = uuid4()
    taken = rows(
        f"UPDATE webhooks_lane SET lease = %s, lease_until = market_now() + {LEASE} WHERE id IN ("
        "  SELECT t.id FROM webhooks_lane t WHERE t.due_at <= market_now()"
        "   AND (t.lease_until IS NULL OR t.lease_until < market_now()) AND t.id IN ("
        "    SELECT found.id FROM webhooks_subscription s CROSS JOIN LATERAL ("
        f"     SELECT l.id, l.due_at FROM webhooks_lane l WHERE l.subscription_id = s.id AND {SENDS}"
        "       AND l.due_at <= market_now() AND (l.lease_until IS NULL OR l.lease_until < market_now())"
        "      ORDER BY l.due_at LIMIT greatest(0, %s - (SELECT count(*) FROM webhooks_lane h"
        "        WHERE h.lease_until > market_now() AND h.subscription_id = s.id))) found"
        "    WHERE s.state <> 'removed' ORDER BY found.due_at LIMIT %s)"
        "  ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED) RETURNING id",
        [lease, LANES_EACH, limit],
    )
    return [held for row in sorted(taken) if (held := _begin(row[0], lease)) is not None]


def record(held: Held, outcome: Outcome, *, draw: float, go_on: bool) -> Held | None:
    """Write down what came of a try; after a good one, and with `go_on`, hold the next of the lane.

    After the last try it is given up, and its subscription disabled, of which the owners are told. `draw` in [0, 1)
    is the chance in the wait before another try. Where the lease is lost only the try is written down.
    """
    require_transaction()
    mine = lane_held(held.lane_id, held.lease)
    run(
        "UPDATE webhooks_attempt SET status = %s, duration_ms = %s, error = %s WHERE id = %s AND ended_at IS NULL",
        [outcome.status, outcome.duration_ms, outcome.error[:ERROR_MAX], held.attempt_id],
    )
    if not mine:
        return None
    if outcome.is_good:
        _end(held.delivery_id, DeliveryState.DELIVERED)
        if go_on and (following := _begin(held.lane_id, held.lease)) is not None:
            return following
        _release(held.lane_id, 0)
        return None
    wait_s = next_wait_s(tries=held.tries, kind=held.kind, draw=draw)
    if wait_s is None:
        _give_up(held.delivery_id, held.kind)
    _release(held.lane_id, wait_s or 0)
    return None


def _begin(lane_id: int, lease: UUID) -> Held | None:
    """The first delivery of a lane that is held, with its try written down; None, and the lane let go, if there is none
    to send."""
    while True:
        found = rows(
            "SELECT d.id, d.public_id, d.tries, e.kind, e.body, s.url, s.secret,"
            " CASE WHEN s.previous_until > market_now() THEN s.previous_secret END,"
            " extract(epoch FROM market_now())::bigint"
            " FROM webhooks_lane l JOIN webhooks_subscription s ON s.id = l.subscription_id"
            " JOIN webhooks_delivery d ON d.lane_id = l.id AND d.state = 'waiting'"
            " JOIN webhooks_event e ON e.id = d.event_id"
            f" WHERE l.id = %s AND {SENDS} ORDER BY d.id LIMIT 1",
            [lane_id],
        )
        if not found:
            _release(lane_id, 0)
            return None
        delivery_id, public_id, tries, kind, body, url, secret, previous, now = found[0]
        run(
            "UPDATE webhooks_attempt SET error = %s WHERE delivery_id = %s AND ended_at IS NULL",
            [CUT_OFF, delivery_id],
        )
        if tries == 0 or next_wait_s(tries=tries, kind=kind, draw=0) is not None:
            break
        # Its last try was cut off.
        _give_up(delivery_id, kind)
    run("UPDATE webhooks_delivery SET tries = tries + 1 WHERE id = %s", [delivery_id])
    (attempt_id,) = rows(
        "INSERT INTO webhooks_attempt (delivery_id, number, error) VALUES (%s, %s, '') RETURNING id",
        [delivery_id, tries + 1],
    )[0]
    run(f"UPDATE webhooks_lane SET lease_until = market_now() + {LEASE} WHERE id = %s", [lane_id])
    signed = _signature(secret, previous, now, body.encode())
    headers = {
        "Content-Type": "application/json", "Touchstone-Event": kind, "Touchstone-Delivery": str(public_id),
        **({"Touchstone-Signature": signed} if signed else {}),
    }  # fmt: skip
    return Held(lane_id, lease, delivery_id, attempt_id, tries + 1, kind, url, body.encode(), headers)


def _signature(secret: bytes, previous: bytes | None, now: int, body: bytes) -> str:
    found = []
    for stored in (secret, previous):
        try:
            found += [opened(bytes(stored))] if stored is not None else []
        except Unsealable:
            continue
    return signature(found, now, body) if found else ""


def _end(delivery_id: int, state: DeliveryState) -> None:
    run("UPDATE webhooks_delivery SET state = %s WHERE id = %s", [state.value, delivery_id])


def _give_up(delivery_id: int, kind: str) -> None:
    """End it without success. Whoever does not answer for a day is sent no more until somebody has looked; a test
    tells him who asked for it."""
    _end(delivery_id, DeliveryState.GIVEN_UP)
    if kind == Kind.TEST:
        return
    disabled = rows(
        "UPDATE webhooks_subscription SET state = 'disabled' WHERE state = 'active'"
        " AND id = (SELECT subscription_id FROM webhooks_delivery WHERE id = %s) RETURNING id",
        [delivery_id],
    )
    for (pk,) in disabled:
        _tell_owners(Subscription.objects.select_related("requester").get(pk=pk))


def _tell_owners(webhook: Subscription) -> None:
    text = (
        f"A webhook of {webhook.requester.name} has taken nothing for a day, and is sent nothing any more:\n\n"
        f"    {webhook.public_id} {webhook.description}\n\n"
        "What happens within a week from now is kept for it. Look at its deliveries, put its receiver right, and resume"
        " it; then replay what was given up.\n"
    )
    for member in Member.objects.filter(requester=webhook.requester, role=Role.OWNER).select_related("user"):
        Notice.objects.create(user=member.user, email=member.user.email, subject="A webhook was disabled", text=text)


def _release(lane_id: int, wait_s: float) -> None:
    """Let go; the lane is due again after the wait, or not at all if nothing waits in it."""
    run(
        "UPDATE webhooks_lane l SET lease = NULL, lease_until = NULL, due_at = CASE WHEN EXISTS"
        " (SELECT 1 FROM webhooks_delivery d WHERE d.lane_id = l.id AND d.state = 'waiting')"
        " THEN market_now() + make_interval(secs => %s) END WHERE l.id = %s",
        [wait_s, lane_id],
    )
