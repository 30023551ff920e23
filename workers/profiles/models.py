"""Workers and the names under which requesters know them."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func

from marketplace.accounts.models import Requester, User

MARKET_NOW = Func(function="market_now", output_field=models.DateTimeField())


class Worker(models.Model):
    """A person who does paid work."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="worker")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    country = models.CharField(max_length=2, blank=True, default="")
    languages = ArrayField(models.CharField(max_length=35), default=list, blank=True)
    created_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    # The account that stands for the person: this one, unless several accounts were found to be one person's. A trigger
    # fills it in, and the column takes no null.
    person = models.ForeignKey("self", on_delete=models.PROTECT, null=True, editable=False, related_name="accounts")


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
