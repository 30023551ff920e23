"""Workers, the names under which requesters know them, what they hold, and which of their accounts are one person's."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q

from marketplace.accounts.models import Requester, User

# ISO 3166-1 and BCP 47, as far as their forms go.
COUNTRY = r"[A-Z]{2}"
LANGUAGE = r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*"
MARKET_NOW = Func(function="market_now", output_field=models.DateTimeField())


class Device(models.TextChoices):
    PHONE = "phone"
    TABLET = "tablet"
    DESKTOP = "desktop"


class Content(models.TextChoices):
    """Kinds of content that may disturb: a batch may ask for workers who have said that they will look at it."""

    VIOLENCE = "violence"
    NUDITY = "nudity"
    HATE = "hate"
    SELF_HARM = "self_harm"
    MEDICAL = "medical"


class Worker(models.Model):
    """A person who does paid work. `content` is what he agreed to be shown although it may disturb; nothing at first,
    and he may take it back. `of_age_at` is when he said that he is of age."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="worker")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    country = models.CharField(max_length=2, blank=True, default="")
    languages = ArrayField(models.CharField(max_length=35), default=list, blank=True)
    content = ArrayField(models.CharField(max_length=12), default=list, blank=True, db_default=[])
    of_age_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    # The class of device last seen where an audience asked for one, or nothing: a hint, as a browser says it of itself.
    device = models.CharField(max_length=7, choices=Device.choices, blank=True, default="", db_default="")
    # The account that stands for the person: this one, unless several accounts were found to be one person's. A trigger
    # fills it in, and the column takes no null.
    person = models.ForeignKey("self", on_delete=models.PROTECT, null=True, editable=False, related_name="accounts")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(device__in=["", *Device.values]), name="worker_device"),
            models.CheckConstraint(condition=Q(content__contained_by=Content.values), name="worker_content"),
        ]


class Pseudonym(models.Model):
    """A worker as one requester sees him (R43): random, different for each requester, never changed."""

    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="pseudonyms")
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="pseudonyms")
    code = models.CharField(max_length=24)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["requester", "worker"], name="pseudonym_pair"),
            models.UniqueConstraint(fields=["code"], name="pseudonym_code"),
            models.CheckConstraint(condition=models.Q(code__regex=r"^w_[A-Za-z0-9_-]{22}$"), name="pseudonym_form"),
        ]


class SkillKind(models.TextChoices):
    SKILL = "skill"
    QUALIFICATION = "qualification"


class Skill(models.Model):
    """What a requester vouches for: a skill is held at a value from 0 to 1, a qualification is held or not."""

    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="skills")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=13, choices=SkillKind.choices)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["requester", "name"], name="skill_name"),
            models.CheckConstraint(condition=Q(kind__in=SkillKind.values), name="skill_kind"),
        ]


class Grant(models.Model):
    """A skill or qualification as one worker holds it, with its evidence. It never changes but by being revoked, once;
    a new value is a new grant, so the history stays."""

    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="grants", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="grants")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    value = models.FloatField(null=True)
    evidence = models.TextField()
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    granted_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    revoked_reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["skill", "worker"], condition=Q(revoked_at=None), name="one_current_grant"),
            models.CheckConstraint(condition=Q(value=None) | Q(value__gte=0, value__lte=1), name="grant_value"),
            models.CheckConstraint(condition=~Q(evidence=""), name="grant_has_evidence"),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None, revoked_reason="")
                | (Q(revoked_at__isnull=False, revoked_by__isnull=False) & ~Q(revoked_reason="")),
                name="revocation_has_reason",
            ),
        ]
        indexes = [models.Index(fields=["skill", "id"], name="grant_of_skill")]


class WorkerList(models.Model):
    """A requester's list of workers, to let in or to keep out."""

    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="worker_lists")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["requester", "name"], name="worker_list_name")]


class ListMember(models.Model):
    """A worker's time on a list; who leaves it keeps his row, and one who comes back gets another."""

    list = models.ForeignKey(WorkerList, on_delete=models.PROTECT, related_name="members", db_index=False)
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="+")
    added_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    removed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["list", "worker"], condition=Q(removed_at=None), name="on_a_list_once"),
            models.CheckConstraint(
                condition=Q(removed_at=None, removed_by=None) | Q(removed_at__isnull=False, removed_by__isnull=False),
                name="removal_has_author",
            ),
        ]
        indexes = [models.Index(fields=["list", "id"], name="member_of_list")]


class Link(models.Model):
    """The finding that several accounts are one person's, with its reason; ended when it turns out to be wrong."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    reason = models.TextField()
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    ended_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_reason = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="link_has_reason"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None, ended_reason="")
                | (Q(ended_at__isnull=False, ended_by__isnull=False) & ~Q(ended_reason="")),
                name="link_end_has_reason",
            ),
        ]


class LinkedAccount(models.Model):
    """One account that a link names."""

    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="linked")
    worker = models.ForeignKey(Worker, on_delete=models.PROTECT, related_name="linked")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["link", "worker"], name="linked_once")]
