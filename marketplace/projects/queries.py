"""Reads of projects; requesters see their own only."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace.accounts.queries import own_of
from marketplace.common.errors import NotFound
from marketplace.projects.models import Project, Version


def projects_of(user_id: int) -> QuerySet[Project]:
    """The projects of every organisation that the user is a member of."""
    return Project.objects.filter(requester__members__user_id=user_id)


def project_for(user_id: int, public_id: UUID, *, at_least: str = "viewer") -> Project:
    """The user's project; raises `NotFound` for another's as for none, `Forbidden` below the role."""
    known = Project.objects.select_related("requester")
    return own_of(known, user_id, public_id, at_least=at_least, what="project")


def versions_listed(project_id: Any) -> QuerySet[Version]:
    """The project's versions, the newest first, without what they say: that of many is too much to read for a list."""
    return Version.objects.filter(project=project_id).defer("interface", "instructions").order_by("-number")


def version_of(project: Project, number: int | None) -> Version:
    """The project's version by number, or its latest published one; raises `NotFound`."""
    versions = project.versions.all()
    found = (
        versions.filter(number=number).first()
        if number is not None
        else versions.exclude(published_at=None).order_by("-number").first()
    )
    if found is None:
        raise NotFound("There is no such version." if number is not None else "The project has no published version.")
    return found
