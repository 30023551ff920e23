"""The socket of staff: what they must know of, and how the market goes."""

from collections.abc import Sequence
from typing import Any

from marketplace.accounts.models import Scope
from marketplace.common.errors import NotFound
from marketplace.results.queries.market import whole_market
from marketplace.streams.routes import MARKET, STAFF
from workers.live.sockets import SocketConsumer
from workers.live.topics import State, shows
from workers.live.watch import Standing

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


def _state_of_market(names: Sequence[str]) -> dict[str, State]:
    return {name: whole_market() for name in names}


shows(MARKET, _state_of_market, again_s=AGAIN_S)
