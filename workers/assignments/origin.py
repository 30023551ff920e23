"""Who wants something done about answers: a quality rule, by its firing, or a person."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Exactly one of the two is set."""

    firing_id: int | None = None
    made_by: int | None = None

    def __post_init__(self) -> None:
        if (self.firing_id is None) == (self.made_by is None):
            raise ValueError("a firing or a person is behind it, and not both")
