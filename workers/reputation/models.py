"""What is known of a worker's reliability: outcomes, and the posteriors that follow from them."""

from django.db import models
from django.db.models import Q

from marketplace.accounts.models import Requester
from marketplace.projects.models import Project
from workers.profiles.models import Worker


class Kind(models.TextChoices):
    """What kind of thing happened."""

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


def _of_worker(related: str = "+") -> models.ForeignKey[Worker, Worker]:
    return models.ForeignKey(Worker, on_delete=models.PROTECT, related_name=related, db_index=False)


def _of_project() -> models.ForeignKey[Project, Project]:
    return models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)


class Standing(models.Model):
    """A worker's Beta posterior in one project, as of `day` (days since 1970, UTC): evidence fades from then on.

    `shown_*` is what the worker sees. It moves only with every 20th answer, gold or not, so that its changes do not
    tell him which answer was gold; `*_since` count what was judged and what was taken back since then.
    """

    pk = models.CompositePrimaryKey("worker_id", "project_id")
    worker = _of_worker("standings")
    project = _of_project()
    alpha = models.FloatField()
    beta = models.FloatField()
    evidence = models.PositiveIntegerField(default=0)
    answers = models.PositiveIntegerField(default=0)
    day = models.IntegerField(default=0)
    judged_since = models.IntegerField(default=0)
    agreed_since = models.IntegerField(default=0)
    undone_since = models.IntegerField(default=0)
    shown_alpha = models.FloatField()
    shown_beta = models.FloatField()
    shown_evidence = models.PositiveIntegerField(default=0)
    shown_type = models.TextField(default="")
    changed_at = models.DateTimeField()


class Facet(models.Model):
    """One requester's part of what is known of a worker in some respect beyond a project, without the prior.

    Respects are `global`, `type:<answer type>` and `class:<project id>:<field>:<label>`.
    """

    pk = models.CompositePrimaryKey("worker_id", "facet", "requester_id")
    worker = _of_worker()
    facet = models.TextField()
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="+", db_index=False)
    alpha = models.FloatField()
    beta = models.FloatField()
    evidence = models.PositiveIntegerField()
    day = models.IntegerField()


class Confusion(models.Model):
    """How much evidence there is that the worker, where one label was right, gave another (or the same)."""

    pk = models.CompositePrimaryKey("worker_id", "project_id", "field", "truth", "given")
    worker = _of_worker()
    project = _of_project()
    field = models.TextField()
    truth = models.TextField()
    given = models.TextField()
    weight = models.FloatField()


class Change(models.Model):
    """A move of what a worker is shown of himself, with its reason in words. Never changed."""

    worker = _of_worker()
    project = _of_project()
    facet = models.TextField()
    answers = models.PositiveIntegerField()
    judged = models.PositiveIntegerField()
    agreed = models.PositiveIntegerField()
    taken_back = models.PositiveIntegerField()
    score_from = models.FloatField()
    score_to = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    words = models.TextField()
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["worker", "id"], name="change_of_worker")]


class Outcome(models.Model):
    """One thing that happened, recorded once and for good; posteriors can be rebuilt from these rows.

    Every answer has a row of kind `answer` without a score, made when it was submitted; what it was judged by is a row
    of its own. What was wrong is taken back by a row of kind `undo`, which says of it what it said. Only the gold
    reader may read this table.
    """

    worker = _of_worker()
    project = _of_project()
    requester = models.ForeignKey(
        Requester, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    batch_id = models.BigIntegerField()
    kind = models.CharField(max_length=9, choices=Kind.choices)
    score = models.FloatField(null=True)
    weight = models.FloatField(default=1.0)
    assignment_id = models.BigIntegerField(null=True)
    task_id = models.BigIntegerField(null=True)
    field = models.TextField(default="")
    # Null says that there is no such field, and not that it was left empty.
    truth = models.TextField(null=True)  # noqa: DJ001
    given = models.TextField(null=True)  # noqa: DJ001
    answer_type = models.TextField(default="")
    took_ms = models.IntegerField(null=True)
    digest = models.BigIntegerField(null=True)
    easiness = models.FloatField(null=True)
    undoes = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", db_index=False, null=True)
    round = models.SmallIntegerField(default=0)
    reason = models.TextField(default="")
    made_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["worker", "project", "id"], name="outcome_of_worker"),
            models.Index(fields=["worker", "batch_id", "id"], name="outcome_in_batch"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="outcome_kind"),
            models.CheckConstraint(
                condition=Q(kind__in=["answer", "skip"], score=None)
                | (~Q(kind__in=["answer", "skip"]) & Q(score__isnull=False, score__gte=0, score__lte=1)),
                name="outcome_score",
            ),
            models.CheckConstraint(condition=Q(weight__gte=0, weight__lte=1), name="outcome_weight"),
            models.CheckConstraint(
                condition=Q(easiness=None) | Q(easiness__gte=0, easiness__lte=1), name="outcome_easiness"
            ),
            models.CheckConstraint(condition=Q(took_ms=None) | Q(took_ms__gte=0), name="outcome_took"),
            models.CheckConstraint(
                condition=(Q(kind="undo", undoes__isnull=False) & ~Q(reason=""))
                | (~Q(kind="undo") & Q(undoes=None, reason="")),
                name="outcome_undo",
            ),
            models.UniqueConstraint(
                fields=["assignment_id", "kind", "round"],
                condition=Q(assignment_id__isnull=False) & ~Q(kind="undo"),
                name="outcome_once",
            ),
            models.UniqueConstraint(fields=["undoes"], condition=Q(undoes__isnull=False), name="outcome_undone_once"),
        ]
