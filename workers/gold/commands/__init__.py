"""Everything that can happen to hidden gold; what happens to every claim and answer is at hand here."""

from workers.gold.commands.schedule import draw_schedule
from workers.gold.commands.scoring import GROUP, score_due, take_due, try_again

__all__ = ["GROUP", "draw_schedule", "score_due", "take_due", "try_again"]
