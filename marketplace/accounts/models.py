"""People who sign in, the organisations that post work, their members and their keys."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q
from django.db.models.functions import Lower
from knox.models import AbstractAuthToken

MARKET_NOW = Func(function="market_now", output_field=models.DateTimeField())


class Scope(models.TextChoices):
    STAFF = "staff"
    REQUESTER = "requester"
    WORKER = "worker"


class Role(models.TextChoices):
    """What a member may do; each includes the ones after it."""

    OWNER = "owner"
    MANAGER = "manager"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


class StaffRole(models.TextChoices):
    """What somebody of the staff may do; a superuser may do all of it, and give roles."""

    SUPPORT = "support"
    FINANCE = "finance"
    QUALITY = "quality"
    SUPERUSER = "superuser"


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        """A new user; addresses are kept in lower case, and without a password nobody can sign in."""
        user = self.model(email=email.strip().lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):  # type: ignore[django-manager-missing]
    """One person. Whether he is staff changes only with his staff roles (`StaffGrant`)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=200, blank=True, default="")
    is_staff = models.BooleanField(default=False, editable=False)
    is_active = models.BooleanField(default=True)  # type: ignore[misc]
    date_joined = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            # Look-ups compare the column itself, which is in lower case; the second constraint holds for `psql` too.
            models.UniqueConstraint(fields=["email"], name="user_email_unique"),
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_lower_case"),
        ]

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email


class StaffGrant(models.Model):
    """A role that somebody of the staff has; given and taken by the database functions `grant_staff` and `revoke_staff`
    only, which write it into the audit log."""

    pk = models.CompositePrimaryKey("user_id", "role")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="staff_grants", db_index=False)
    role = models.CharField(max_length=9, choices=StaffRole.choices)
    granted_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "accounts_staffrole"
        constraints = [models.CheckConstraint(condition=Q(role__in=StaffRole.values), name="staff_role")]


class Requester(models.Model):
    """An organisation that posts work and pays for it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """What one person may do for one requester."""

    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="members")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    joined_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["requester", "user"], name="member_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="member_role"),
        ]


class FormerMember(models.Model):
    """Somebody who was a member once, written by trigger as he leaves: he decides as a stranger never again."""

    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    left_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["requester", "user"], name="formermember_once")]


class ApiKey(AbstractAuthToken):
    """A key of the API: its digest, its name and what it may be used for. It is never changed, only deleted."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=Scope.values) & Q(scopes__len__gt=0), name="apikey_scopes"
            ),
        ]


class Invitation(models.Model):
    """A single-use code that lets the invited person choose a password; only its hash is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations")
    code_hash = models.BinaryField(max_length=32, unique=True)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("made_at")), name="invitation_expires_later"),
        ]


class MemberInvitation(models.Model):
    """Somebody is asked to join an organisation. Who has the code and signs in with this address may, once; only the
    code's hash is kept. `ended_at` is when it was accepted, taken back or replaced by another, or when whoever made it
    was an owner no more."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="member_invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Role.choices)
    code_hash = models.BinaryField(max_length=32, unique=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    expires_at = models.DateTimeField()
    accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["requester", "email"], condition=Q(ended_at=None), name="memberinvitation_one_open"
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="memberinvitation_role"),
            models.CheckConstraint(condition=Q(email=Lower("email")), name="memberinvitation_email_lower_case"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("made_at")), name="memberinvitation_expires_later"
            ),
            models.CheckConstraint(
                condition=Q(accepted_by=None) | Q(ended_at__isnull=False), name="memberinvitation_accepted_is_ended"
            ),
        ]


class UsedCode(models.Model):
    """A step of time whose code a person's second factor has shown already: each counts once."""

    pk = models.CompositePrimaryKey("user_id", "step")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    step = models.BigIntegerField()
    used_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)


class FormerAddress(models.Model):
    """An e-mail address that was a person's until lately, written by trigger: whoever takes an account over cannot keep
    notices from its owner by changing the address first."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    email = models.EmailField(max_length=254)
    left_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)


class Notice(models.Model):
    """A mail to a person about his account, or about opening one: written with the change it tells of, sent after its
    commit by a sweep."""

    # Nobody's while somebody asks for an account.
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    email = models.EmailField(max_length=254)
    subject = models.TextField()
    text = models.TextField()
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    next_try_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    tries = models.SmallIntegerField(default=0, db_default=0)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["next_try_at"], condition=Q(sent_at=None), name="notice_to_send")]


class Where(models.TextChoices):
    """How far a sanction reaches; all but the platform name the thing by its plain id."""

    BATCH = "batch"
    PROJECT = "project"
    REQUESTER = "requester"
    PLATFORM = "platform"


class Measure(models.TextChoices):
    """What a sanction does. `limit` and `ban` stop new leases, `slow_down` spaces them; the others stop nothing."""

    SLOW_DOWN = "slow_down"
    EXTRA_GOLD = "extra_gold"
    LIMIT = "limit"
    REVIEW = "review"
    BAN = "ban"


STOPPING = (Measure.LIMIT, Measure.BAN)


class SanctionReason(models.TextChoices):
    LOW_ACCURACY = "low_accuracy"
    DISAGREEMENT = "disagreement"
    HASTE = "haste"
    SKIPS = "skips"
    REPETITION = "repetition"
    SPAM = "spam"
    COPYING = "copying"
    REJECTIONS = "rejections"
    TERMS = "terms"
    OTHER = "other"


class Sanction(models.Model):
    """The only way to limit anyone (R40): why, on what evidence, until when, and until when it can be contested.

    It never changes but by being lifted, once; a trigger says so and writes `made_at` and `lifted_at` itself. Behind it
    is either a firing of a rule, by its plain id, or a person.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="sanctions", db_index=False)
    scope = models.CharField(max_length=9, choices=Where.choices)
    scope_id = models.BigIntegerField(null=True)
    measure = models.CharField(max_length=10, choices=Measure.choices)
    pace_s = models.PositiveIntegerField(null=True)
    reason = models.CharField(max_length=12, choices=SanctionReason.choices)
    words = models.TextField()
    evidence = models.JSONField()
    firing_id = models.BigIntegerField(null=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    expires_at = models.DateTimeField()
    appeal_until = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    lift_reason = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["firing_id", "measure"], name="sanction_once"),
            models.CheckConstraint(
                condition=Q(scope=Where.PLATFORM, scope_id=None)
                | Q(scope__in=[Where.BATCH, Where.PROJECT, Where.REQUESTER], scope_id__isnull=False),
                name="sanction_scope",
            ),
            models.CheckConstraint(
                condition=Q(measure=Measure.SLOW_DOWN, pace_s__isnull=False, pace_s__gte=1, pace_s__lte=86_400)
                | Q(
                    measure__in=[Measure.EXTRA_GOLD, Measure.LIMIT, Measure.REVIEW, Measure.BAN],
                    pace_s=None,
                ),
                name="sanction_pace",
            ),
            models.CheckConstraint(condition=Q(reason__in=SanctionReason.values), name="sanction_reason"),
            models.CheckConstraint(condition=~Q(words=""), name="sanction_has_words"),
            models.CheckConstraint(
                condition=Q(firing_id=None, made_by__isnull=False) | Q(firing_id__isnull=False, made_by=None),
                name="sanction_has_author",
            ),
            models.CheckConstraint(
                condition=~Q(measure=Measure.BAN) | Q(made_by__isnull=False, scope=Where.PLATFORM),
                name="ban_by_a_person",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("made_at"), appeal_until__gt=models.F("made_at")),
                name="sanction_ends",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None, lift_reason="")
                | (Q(lifted_at__isnull=False) & ~Q(lift_reason="")),
                name="lift_has_reason",
            ),
        ]
        indexes = [
            # What every claim and every new lease looks at.
            models.Index(fields=["user", "expires_at"], condition=Q(lifted_at=None), name="sanction_in_force"),
            models.Index(fields=["user", "id"], name="sanction_of_user"),
            models.Index(fields=["scope", "scope_id"], name="sanction_of_scope"),
        ]


class Ticket(models.Model):
    """What opens one socket, once, within seconds; bound to the key or the session by which it was asked for."""

    digest = models.TextField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    key_digest = models.TextField(null=True)  # noqa: DJ001  (the one or the other)
    session_key = models.TextField(null=True)  # noqa: DJ001
    socket = models.TextField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(key_digest=None, session_key__isnull=False) | Q(key_digest__isnull=False, session_key=None),
                name="ticket_bound",
            ),
            models.CheckConstraint(condition=Q(socket__in=["worker", "requester", "admin"]), name="ticket_socket"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="ticket_expires_at")]


class Act(models.Model):
    """One row of the audit log: who did what to whom, and why, in ids and words of the program. Written by
    `commands.acts.record` only, in the transaction of what it tells; never changed, and sealed at the commit (R36)."""

    act = models.TextField()
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    via = models.TextField()
    subject = models.TextField()
    subject_id = models.TextField()
    why = models.TextField(blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    request_id = models.TextField()
    made_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["act", "id"], name="act_by_name"),
            models.Index(fields=["actor", "id"], name="act_by_actor"),
            models.Index(fields=["subject", "subject_id", "id"], name="act_by_subject"),
            models.Index(fields=["request_id"], name="act_by_request"),
            models.Index(fields=["made_at"], name="act_made_at"),
        ]


class ActSeal(models.Model):
    """A link of the chain of hashes over the audit log: `leaf` is the hash of what the row says, `hash` that of the
    link before and the leaf. Written by trigger, at the commit of the row."""

    seq = models.BigIntegerField(primary_key=True)
    act = models.OneToOneField(Act, on_delete=models.PROTECT, related_name="seal")
    leaf = models.BinaryField()
    hash = models.BinaryField()


class ActHead(models.Model):
    """The end of the chain: one row, which whoever acts holds for the moment of his commit."""

    id = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField()


class ActAnchor(models.Model):
    """The end of the chain on a day, sent to where nobody here can change it."""

    day = models.DateField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField()
    made_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)


class Configuration(models.Model):
    """What the site was set to by its environment from a start on: by group and name. A row is added at the first start
    with other values than the newest row's; never changed."""

    settings = models.JSONField()
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
