"""Projects and their versions. A version is the whole of what a worker is shown: interface, taxonomy, instructions."""

import hashlib
import json
from uuid import uuid4

from django.db import models
from django.db.models import Q

from marketplace.accounts.models import Requester


class Project(models.Model):
    """One kind of work."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=200)
    made_at = models.DateTimeField()


class Version(models.Model):
    """Interface, label taxonomy (inside the answer fields) and instructions. Once published it never changes: a trigger
    refuses, so that every answer's version still says what its worker was shown."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    interface = models.JSONField()
    instructions = models.TextField(blank=True)
    made_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="version_number"),
            models.CheckConstraint(condition=Q(number__gt=0), name="version_number_positive"),
        ]

    @property
    def state(self) -> str:
        return "published" if self.published_at else "draft"

    @property
    def fingerprint(self) -> str:
        """The same for the same interface and instructions: what a change names to say what it was made from."""
        text = json.dumps([self.interface, self.instructions], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
