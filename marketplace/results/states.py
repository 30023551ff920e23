"""The lives of a review of rejections and of a data set, as values. The database holds their steps in triggers."""

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


class RulingReason(models.TextChoices):
    """Why somebody says that a label is right."""

    INSTRUCTIONS = "instructions", "The instructions settle it"
    PLAIN = "plain", "It is plain to see in the item"
    BEST = "best", "Doubtful; this is the best reading"
    OTHER = "other", "Another reason, in words"


class Queue(models.TextChoices):
    """Why a task is to be looked at."""

    DISAGREEMENTS = "disagreements"  # its answers differ, or some found it unclear
    ESCALATIONS = "escalations"  # a rule or somebody wants one of its answers looked at
    SAMPLE = "sample"  # chance has drawn it
    GOLD = "gold"  # its key waits for the requester's word, or good workers keep failing it


class DatasetState(models.TextChoices):
    """A version of a data set on its way; it is finished once it is done or failed."""

    GATHERING = "gathering"  # items are read from the tables
    ARRANGING = "arranging"  # near-duplicates are put together, splits drawn, the whole looked at
    WRITING = "writing"  # the files are written
    SEALING = "sealing"  # their hashes are taken, and the archive is put together
    DONE = "done"
    FAILED = "failed"


class PartKind(models.TextChoices):
    """What a part of a data set holds; only those of the archive stay."""

    ROWS = "rows"  # some gathered items
    SIGNS = "signs"  # what tells how alike these items are, and what label they have
    SPLITS = "splits"  # the split of each item
    INDEX = "index"  # what the files of a stretch are
    GROWN = "grown"  # a piece of a file that grows from stretch to stretch
    WHOLE = "whole"  # whole files of a stretch, as the archive has them
    FRAME = "frame"  # what an archive has around its files
