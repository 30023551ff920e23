"""What happened to what workers hold."""

from dataclasses import dataclass

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class SkillEvent(Event):
    skill_id: int
    worker_id: int


class SkillGranted(SkillEvent):
    """A worker holds a skill or qualification from now on."""


class SkillRevoked(SkillEvent):
    """A worker no longer holds it."""
