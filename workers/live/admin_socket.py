"""The socket of staff: what they must know of, and how the market goes."""

from collections.abc import Sequence
from typing import Any

from marketplace.accounts.models import Scope
from marketplace.common.errors import NotFound
from marketplace.common.outbox import HORIZON_ALARM_S, horizon
from marketplace.streams.presence import KINDS, online
from marketplace.streams.queries import health
from marketplace.streams.routes import MARKET, STAFF
from workers.live.desks import market_state
from workers.live.sockets import SocketConsumer
from workers.live.topics import State, shows
from workers.live.watch import Standing

# Facts that are so late that the relay is ill.
RELAY_LATE_S = 5.0
# What is late by now is seen without anything having happened.
AGAIN_S = 5.0


class AdminConsumer(SocketConsumer):
    """`/ws/admin/`, for a key with the scope staff or a session, of somebody who is staff; when he is no more, it is
    closed (`watch`). The stream of staff, and the topic `market`."""

    socket = "admin"

    def admits(self, standing: Standing) -> bool:
        return standing.is_staff and (standing.scopes is None or Scope.STAFF in standing.scopes)

    async def streams(self) -> dict[str, str | None]:
        return {STAFF: None}

    def snapshot(self) -> dict[str, Any]:
        return {"market": whole_market()}

    def topic(self, shown: str) -> str:
        if shown != MARKET:
            raise NotFound("Staff have the topic 'market'.")
        return MARKET


def whole_market() -> dict[str, Any]:
    """The state of the market, with who is online, how far the relay is behind, and for how long a transaction has held
    events back."""
    state, relay, held_s = market_state(), health(), horizon()
    late = [
        ("relay_behind", relay.oldest_s > RELAY_LATE_S),
        ("events_skipped", relay.skipped > 0),
        ("events_held", held_s > HORIZON_ALARM_S),
    ]
    return {
        **state,
        # Null while Redis does not say.
        **{f"{kind}s_online": online(kind) for kind in KINDS},
        "relay": {
            "backlog": relay.backlog,
            "oldest_s": round(relay.oldest_s, 1),
            "skipped": relay.skipped,
            "held_s": round(held_s, 1),
        },
        "alerts": [*state["alerts"], *(name for name, is_late in late if is_late)],
    }


def _state_of_market(names: Sequence[str]) -> dict[str, State]:
    return {name: whole_market() for name in names}


shows(MARKET, _state_of_market, again_s=AGAIN_S)
