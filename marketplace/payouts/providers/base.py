"""What a way of paying out must be able to do. Nothing here touches the database, and no call runs in a transaction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar


@dataclass(frozen=True)
class Order:
    """One payment to make. `key` is ours, stored before the first call and the same for every call: a provider that has
    seen it pays nothing again. The amount is in whole cents of the currency."""

    key: str
    amount_cents: int
    currency: str
    details: Mapping[str, str]  # of the destination, as it was checked
    reference: str  # what the receiver reads on his statement
    # What is known of earlier calls for it. A provider that forgets our key needs it to tell what became of the order.
    known_as: str = ""  # the `reference` of an earlier answer
    age: timedelta | None = None  # since the first call may have been made; None if there was none, or nobody knows


class Fate(StrEnum):
    """What the provider says has become of an order."""

    ACCEPTED = "accepted"  # on its way; the end is still to come
    SETTLED = "settled"  # the receiver has it
    FAILED = "failed"  # it will not be paid, or it has come back


@dataclass(frozen=True)
class Answer:
    """What a provider says of one order."""

    fate: Fate
    reference: str = ""  # the provider's own, for people who ask him
    detail: str = ""  # why it failed, for people


@dataclass(frozen=True)
class Notice:
    """What a provider tells by himself, by webhook, about one order: named by our key. Each `event` counts once, and
    notices may come twice and in any order."""

    event: str
    key: str
    answer: Answer
    at: datetime


class Unclear(Exception):
    """Whether the provider will pay is not known: no answer, half an answer, or an error of his server. Only a look-up
    can tell; asking again under another key could pay twice."""


class Refused(Exception):
    """The provider did not take the order, for a reason that a repeat does not change; nothing will be paid."""


class BadNotice(Exception):
    """The signature of a notice is wrong, or it is too old to be believed."""


class Provider(ABC):
    """One way to pay out. It is offered when `configured` says so; its secrets come from the settings only."""

    name: ClassVar[str]  # in the API and in addresses of accounts: `outside:<name>`
    title: ClassVar[str]  # for people
    fields: ClassVar[Mapping[str, str]]  # of a destination: name → what it is, for people

    @classmethod
    @abstractmethod
    def configured(cls) -> bool:
        """Whether the settings hold all that it needs."""

    @abstractmethod
    def check(self, details: Mapping[str, str], currency: str) -> dict[str, str]:
        """What is wrong with a destination, by field; a payment to what passes can be ordered."""

    def strange(self, details: Mapping[str, str]) -> dict[str, str]:
        """What is wrong with the names of a destination's fields."""
        return {name: f"{self.title} knows no field of this name." for name in details if name not in self.fields}

    @abstractmethod
    def canonical(self, details: Mapping[str, str]) -> str:
        """The same text for the same receiver, however it was typed: by it one payout belongs to one person (R41)."""

    @abstractmethod
    def shown(self, details: Mapping[str, str]) -> str:
        """The destination as its owner may see it again: enough to know it by, not enough to use it."""


class CallProvider(Provider):
    """A provider that is asked over the network, order by order."""

    @abstractmethod
    def send(self, order: Order) -> Answer:
        """Ask for the payment. Raises `Refused`, `Unclear`; any other exception counts as `Unclear`."""

    @abstractmethod
    def look_up(self, order: Order) -> Answer | None:
        """What has become of the order; None if the provider is sure never to have taken it, and then it may be sent
        again under the same key. Raises `Unclear`.

        Where a provider finds our key only when asked for the same payment again, this asks for it, and it may be paid
        then: once.
        """

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Notice]:
        """What a webhook says; things that do not concern payouts are left out, but a key may be somebody else's.

        May ask the provider over the network. Raises `BadNotice`; `Unclear` if he did not answer, and then he shall
        send the notice again.
        """
        raise BadNotice("This provider sends no notices.")


class FileProvider(Provider):
    """A provider that is given a file with all payments of a run, by a person who carries it to a bank."""

    content_type: ClassVar[str]
    extension: ClassVar[str]

    @abstractmethod
    def write(self, orders: Sequence[Order], *, run: str, made_at: datetime) -> bytes:
        """The file of a run; the same bytes for the same run, so that it can be made again. `run` is its public id.

        Raises `Refused`, naming the order, if one of them cannot be written; then there is no file.
        """
