"""What is known of a worker's reliability: outcomes, and the posterior that follows from them."""

from django.db import models

from marketplace.projects.models import Project
from workers.profiles.models import Worker


class Standing(models.Model):
    """A worker's Beta posterior in one project.

    `shown_*` is what the worker sees. It moves only with every 20th answer, gold or not, so that its changes do not
    tell him which answer was gold.
    """

    pk = models.CompositePrimaryKey("worker_id", "project_id")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="standings", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)
    alpha = models.FloatField()
    beta = models.FloatField()
    evidence = models.PositiveIntegerField(default=0)
    answers = models.PositiveIntegerField(default=0)
    shown_alpha = models.FloatField()
    shown_beta = models.FloatField()
    shown_evidence = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField()


class Outcome(models.Model):
    """What came of one answer, recorded for every answer. `score` is from 0 to 1 where the answer could be judged and
    null where it could not; the posterior can be rebuilt from these rows."""

    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch_id = models.BigIntegerField()
    score = models.FloatField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["worker", "project", "id"], name="outcome_of_worker")]
