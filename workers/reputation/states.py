"""What kinds of outcomes there are, as values."""

from django.db import models


class Kind(models.TextChoices):
    """What an outcome is of. A SKIP is a task that the worker gave up; an UNDO takes an earlier outcome back."""

    ANSWER = "answer"
    GOLD = "gold"
    AGREEMENT = "agreement"
    REVIEW = "review"
    SKIP = "skip"
    UNDO = "undo"
    TRAINING = "training"
    EXAM = "exam"


# What says how reliable a worker is. Training and exams are counted by quality rules and not here: they are done under
# other eyes than work is.
JUDGEMENTS = frozenset({Kind.GOLD, Kind.AGREEMENT, Kind.REVIEW})
UNSCORED = frozenset({Kind.ANSWER, Kind.SKIP})
