"""The requester's socket: what happens in his organisations, and how his batches go."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from marketplace.accounts.models import Scope
from marketplace.accounts.queries import memberships_of
from marketplace.api.accounts import RequesterView
from marketplace.api.shapes import batch_shape
from marketplace.api.streams import running_batches
from marketplace.batches.queries import batch_for
from marketplace.common.errors import NotFound
from marketplace.common.transactions import one_transaction
from marketplace.results.queries.standing import batch_state
from marketplace.streams.routes import address_of_requester
from workers.live.desks import gold_state
from workers.live.sockets import SocketConsumer
from workers.live.topics import State, shows
from workers.live.watch import Standing

# What each kind of topic shows, and the role that it takes to look on.
KINDS = {"batch": (batch_state, "viewer"), "gold": (gold_state, "reviewer")}
# What goes by the clock, as the pace, is looked at again without anything having happened.
AGAIN_S = 15.0


class RequesterConsumer(SocketConsumer):
    """`/ws/requester/`, for a key with the scope requester, or the session of anybody.

    One personal stream for each organisation that he is a member of, so a cursor has `seqs`, and each fact names its
    `stream`: the organisation's id. Topics `batch:<id>` of his batches and, for reviewers, `gold:<id>`, judged at each
    subscription; when a membership or a role of his changes, the socket is closed (`watch`), and what he may see is
    judged anew when he comes again.
    """

    socket = "requester"

    def admits(self, standing: Standing) -> bool:
        return standing.scopes is None or Scope.REQUESTER in standing.scopes

    async def streams(self) -> dict[str, str | None]:
        assert self.holder is not None
        return await self.patiently(_streams_of, self.holder.user_id)

    def snapshot(self) -> dict[str, Any]:
        assert self.holder is not None
        members = list(memberships_of(self.holder.user_id).order_by("pk"))
        batches = running_batches(member.requester_id for member in members)
        return {
            "requesters": [RequesterView(member).data for member in members],
            "batches": [batch_shape(batch) for batch in batches],
        }

    def topic(self, shown: str) -> str:
        assert self.holder is not None
        kind, public_id = _batch_named(shown)
        batch = batch_for(self.holder.user_id, public_id, at_least=KINDS[kind][1])
        return f"{kind}:{batch.pk}"


def _streams_of(user_id: int) -> dict[str, str | None]:
    return {
        address_of_requester(member.requester_id): str(member.requester.public_id)
        for member in memberships_of(user_id).order_by("pk")
    }


def _batch_named(shown: str) -> tuple[str, UUID]:
    kind, _, name = shown.partition(":")
    if kind in KINDS:
        try:
            return kind, UUID(name)
        except ValueError:
            pass
    # In the words for a batch that is another's: the two look the same.
    raise NotFound("There is no such batch.")


def states_of_batches(names: Sequence[str]) -> dict[str, State]:
    """What topics of batches show, by internal names."""
    with one_transaction(principal="batches live"):
        return {name: KINDS[kind][0](int(pk)) for name in names for kind, _, pk in [name.partition(":")]}


for _kind in KINDS:
    shows(_kind, states_of_batches, again_s=AGAIN_S)
