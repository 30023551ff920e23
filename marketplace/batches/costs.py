"""What a batch may cost at most, line by line. Amounts are micro-units; nothing here is rounded against a worker."""

from dataclasses import dataclass

from marketplace.common.money import BASIS_POINTS, share_rounded_up


@dataclass(frozen=True)
class Platform:
    """What the platform asks of every batch, frozen on it when it is made: its fee on each paid answer as a share and
    at least a minimum, the least share to set aside for disputes, and for how long a rejection can be contested."""

    fee_basis_points: int
    fee_minimum_micros: int = 0
    dispute_basis_points: int = 0
    appeal_s: int = 7 * 86_400


def fee_of(price_micros: int, basis_points: int, minimum_micros: int) -> int:
    """The fee on one paid answer: the share of its price, rounded up, and the minimum at least; no steps.

    >>> fee_of(20_000, 1_000, 0), fee_of(20_000, 1_000, 5_000)
    (2000, 5000)
    """
    return max(minimum_micros, share_rounded_up(price_micros, basis_points))


def disputed_places(places: int, basis_points: int) -> int:
    """How many rejected answers the dispute reserve can pay: that share of the places, rounded up.

    >>> disputed_places(30, 500), disputed_places(30, 0)
    (2, 0)
    """
    return share_rounded_up(places, basis_points)


def topup_limit(price_micros: int, basis_points: int) -> int:
    """By how much one answer's pay may be raised at most; rounded down, for it is the requester's limit."""
    return price_micros * basis_points // BASIS_POINTS


def topup_place(price_micros: int, topup_basis_points: int, fee_basis_points: int) -> int:
    """What a top-up costs the requester for one answer at most, its share of the fee included."""
    most = topup_limit(price_micros, topup_basis_points)
    return most + share_rounded_up(most, fee_basis_points)


@dataclass(frozen=True)
class Hold:
    """What publishing sets aside for the worst case, by what it is for."""

    reward_micros: int
    fee_micros: int
    disputes_micros: int
    topup_micros: int

    @property
    def escrow_micros(self) -> int:
        """What lies in escrow: the pay and the fee of every place."""
        return self.reward_micros + self.fee_micros

    @property
    def total_micros(self) -> int:
        return self.escrow_micros + self.disputes_micros + self.topup_micros


def hold_for(
    *,
    places: int,
    price_micros: int,
    fee_micros: int,
    fee_basis_points: int,
    dispute_basis_points: int,
    topup_basis_points: int,
) -> Hold:
    """The worst case of so many places: all of them paid, as many disputes lost as are provided for, and the highest
    top-up for every answer, the disputed ones too, each with its fee."""
    raised = topup_place(price_micros, topup_basis_points, fee_basis_points)
    return Hold(
        reward_micros=places * price_micros,
        fee_micros=places * fee_micros,
        disputes_micros=disputed_places(places, dispute_basis_points) * (price_micros + fee_micros + raised),
        topup_micros=places * raised,
    )
