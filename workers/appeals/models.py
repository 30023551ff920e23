"""Appeals: rejections and sanctions that workers contest, and every step of each.

An appeal changes by its steps only: the runtime role inserts those, and a trigger judges and applies them.
"""

from uuid import uuid4

from django.db import models
from django.db.models import Q

from marketplace.accounts.models import Requester, Sanction, User
from workers.appeals.states import Kind, Method, State
from workers.assignments.models import Rejection
from workers.profiles.models import Worker


class Appeal(models.Model):
    """One worker against one rejection or one sanction; once for each. `requester` is whose rejection it is, or whose
    work the sanction is about; a sanction of the whole platform has none."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="appeals", db_index=False)
    rejection = models.OneToOneField(Rejection, on_delete=models.PROTECT, null=True, related_name="appeal")
    sanction = models.OneToOneField(Sanction, on_delete=models.PROTECT, null=True, related_name="appeal")
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    words = models.TextField()
    state = models.CharField(max_length=7, choices=State.choices, default=State.OPEN)
    method = models.CharField(max_length=11, choices=Method.choices)
    adjudicator = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField()
    refer_at = models.DateTimeField()
    decide_by = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(rejection=None, sanction__isnull=False) | Q(rejection__isnull=False, sanction=None),
                name="appeal_of_one_thing",
            ),
            models.CheckConstraint(condition=Q(words__regex=r"\S"), name="appeal_has_words"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="appeal_state"),
            models.CheckConstraint(
                condition=Q(method__in=Method.values) & (Q(sanction=None) | Q(method="adjudicator")),
                name="appeal_method",
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_at=None) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="appeal_decided",
            ),
        ]
        indexes = [
            models.Index(fields=["decide_by"], condition=Q(state="open"), name="appeal_due"),
            models.Index(fields=["worker", "id"], name="appeal_of_worker"),
            models.Index(fields=["requester", "id"], name="appeal_of_requester"),
        ]


class Step(models.Model):
    """One thing that happened to an appeal: by whom (null: by rule or the clock) and why. Append-only."""

    appeal = models.ForeignKey(Appeal, on_delete=models.PROTECT, related_name="steps")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField()
    adjudicator = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    evidence = models.JSONField(default=dict)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(reason__regex=r"\S"), name="step_has_reason"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="step_kind"),
            models.CheckConstraint(
                condition=Q(kind="named", adjudicator__isnull=False) | (~Q(kind="named") & Q(adjudicator=None)),
                name="step_names",
            ),
        ]
