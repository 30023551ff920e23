"""The only place of this app that locks rows."""

from marketplace.projects.models import Project


def project_for_update(project_id: int) -> Project:
    """The project under FOR NO KEY UPDATE: version numbers are given out one at a time."""
    return Project.objects.select_for_update(no_key=True).get(pk=project_id)
