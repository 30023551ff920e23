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
    """One person. Whether he is staff changes only through the database function `grant_staff`."""

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
    """A mail to a person about his account: written with the change it tells of, sent after its commit by a sweep."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    email = models.EmailField(max_length=254)
    subject = models.TextField()
    text = models.TextField()
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    next_try_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    tries = models.SmallIntegerField(default=0, db_default=0)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["next_try_at"], condition=Q(sent_at=None), name="notice_to_send")]
