"""The life of an appeal, as values. The database holds the same steps in a trigger."""

from django.db import models


class State(models.TextChoices):
    OPEN = "open"
    UPHELD = "upheld"
    REFUSED = "refused"
    LAPSED = "lapsed"  # nobody decided in time, so the worker wins


WON = (State.UPHELD, State.LAPSED)


class Method(models.TextChoices):
    """Who judges: others who do the same task and know of nothing, or a person who is not of the requester."""

    REWORK = "rework"
    ADJUDICATOR = "adjudicator"


class Kind(models.TextChoices):
    """What can happen to an appeal."""

    OPENED = "opened"
    STATEMENT = "statement"
    REFERRED = "referred"
    NAMED = "named"
    UPHELD = "upheld"
    REFUSED = "refused"
    LAPSED = "lapsed"


REWORKS = 3  # how many others must have done the task before their answers decide
# Whose answer counts among them: somebody with so many judged answers in the project, beyond what is assumed of a
# stranger, and so good. Three strangers, or a ring of them, decide nothing. The database holds the same.
JUDGED_MIN = 5
MEAN_MIN = 0.6
STATEMENTS_MAX = 5  # what a requester has to say to one appeal; the database holds the same
