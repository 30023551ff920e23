"""What a look at some labels, drawn by chance, proves of all. Values in, values out."""

from dataclasses import dataclass

from marketplace.aggregation.sampling import error_bound, more_looks

SHARE, CONFIDENCE = 0.02, 0.95


@dataclass(frozen=True)
class Proof:
    """What is proven, and what it takes to prove what is wanted.

    bound      the share of wrong labels that is not exceeded, with this confidence
    more       how many more must be found right until that is the wanted share; None where even a look at all would
               not do it, for too many wrong ones were found
    """

    population: int
    looked_at: int
    errors: int
    share: float
    confidence: float
    bound: float
    more: int | None

    @property
    def proven(self) -> bool:
        """Whether there is nothing left to look at for it."""
        return self.more == 0 and self.looked_at > 0


def proof_of(
    *, population: int, looked_at: int, errors: int, share: float = SHARE, confidence: float = CONFIDENCE
) -> Proof:
    """What so many looks prove of a population. Whoever has looked at all knows the share and needs no bound."""
    left = population - looked_at
    if left <= 0 < looked_at:
        bound = errors / looked_at
        return Proof(population, looked_at, errors, share, confidence, bound, 0 if bound <= share else None)
    more: int | None = more_looks(errors, looked_at, share=share, confidence=confidence)
    assert more is not None
    if more > left:
        # Those that are left are too few for a bound, but all of them together are a count.
        more = left if errors <= share * population else None
    return Proof(
        population, looked_at, errors, share, confidence, error_bound(errors, looked_at, confidence=confidence), more
    )
