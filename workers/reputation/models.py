"""What is known of a worker's reliability: outcomes, and the posteriors that follow from them."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q

from marketplace.accounts.models import Requester, User
from marketplace.batches.models import Batch
from marketplace.projects.models import Project
from workers.profiles.models import MARKET_NOW, Worker
from workers.reputation.states import Kind


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


# --- quality rules: what was found of whom, and what is to be done about it


class PlatformRules(models.Model):
    """The platform's own quality rules; the newest row is in force and the others are its history. Never changed."""

    quality = models.JSONField()
    note = models.TextField()
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(note=""), name="platform_rules_note")]


class Firing(models.Model):
    """A rule that held of a worker, with its evidence: the figures of its conditions, and the outcomes behind them
    (`after_id` < id ≤ `upto_id`). `told` is what of the figures the worker may see, and `show_from` with how many
    answers in the project he sees that it fired: its moment must not tell which answer was gold. Never changed; what
    turns out to be wrong is taken back by a `Withdrawal`."""

    public_id = models.UUIDField(db_default=RandomUUID(), unique=True, editable=False)
    worker = _of_worker()
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="+", db_index=False)
    project = _of_project()
    rule = models.JSONField()
    rule_key = models.TextField()
    scope = models.CharField(max_length=8)
    words = models.TextField()
    evidence = models.JSONField()
    told = models.JSONField()
    show_from = models.PositiveIntegerField(default=0, db_default=0)
    in_doubt = models.BooleanField()
    after_id = models.BigIntegerField()
    upto_id = models.BigIntegerField()
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    ends_at = models.DateTimeField()

    class Meta:
        constraints = [
            # The same evidence fires a rule once.
            models.UniqueConstraint(fields=["worker", "rule_key", "upto_id"], name="firing_once"),
            models.CheckConstraint(condition=Q(scope__in=["batch", "project", "platform"]), name="firing_scope"),
            models.CheckConstraint(condition=~Q(words="") & ~Q(evidence={}), name="firing_says_why"),
            models.CheckConstraint(condition=Q(upto_id__gt=models.F("after_id")), name="firing_evidence"),
        ]
        indexes = [
            models.Index(fields=["worker", "id"], name="firing_of_worker"),
            models.Index(fields=["batch", "id"], name="firing_in_batch"),
        ]


class Withdrawal(models.Model):
    """That a firing rested on what was taken back, and does not hold without it. Never changed."""

    firing = models.OneToOneField(Firing, on_delete=models.PROTECT, primary_key=True, related_name="withdrawal")
    reason = models.TextField()
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="withdrawal_reason")]


class Wanted(models.Model):
    """One action of a firing. What reputation cannot do itself waits here for the app that can; each is done once, and
    its row says what came of it."""

    firing = models.ForeignKey(Firing, on_delete=models.PROTECT, related_name="wanted", db_index=False)
    position = models.PositiveSmallIntegerField()
    action = models.JSONField()
    kind = models.CharField(max_length=20)
    worker = _of_worker()
    batch_id = models.BigIntegerField()
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    done_at = models.DateTimeField(null=True)
    outcome = models.TextField(default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["firing", "position"], name="wanted_position"),
            models.CheckConstraint(
                condition=Q(done_at=None, outcome="") | (Q(done_at__isnull=False) & ~Q(outcome="")), name="wanted_done"
            ),
        ]
        indexes = [models.Index(fields=["kind", "id"], condition=Q(done_at=None), name="wanted_due")]


class ToEvaluate(models.Model):
    """That there is something new about a worker in a batch with rules; a trigger on outcomes writes it. Several rows
    of one pair are one question: nobody who records outcomes ever waits for who judges rules."""

    worker_id = models.BigIntegerField()
    batch_id = models.BigIntegerField()
    undone = models.BooleanField()
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)


class CrowdFacts(models.Model):
    """What rules compare a worker of the batch with, as of `made_at`; computed again after a while."""

    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, primary_key=True, related_name="+")
    facts = models.JSONField()
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
