"""The life of a review of rejections, as values. The database holds its steps in a trigger."""

from django.db import models


class ReviewState(models.TextChoices):
    """An open review is decided by staff; one lapses when every answer was accepted at its deadline before that."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    LAPSED = "lapsed"


class Cause(models.TextChoices):
    """Why rejections wait: too many of the batch, or of answers that agree with what others answered."""

    COUNT = "count"
    CONSENSUS = "consensus"
