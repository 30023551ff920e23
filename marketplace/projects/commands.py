"""Every write to projects."""

from typing import Any

from marketplace.common.database import MarketNow
from marketplace.common.transactions import require_transaction
from marketplace.projects.errors import InterfaceRefused
from marketplace.projects.interface import InterfaceInvalid, check_interface
from marketplace.projects.locks import project_for_update
from marketplace.projects.models import Project, Version
from marketplace.projects.queries import version_of


def create_project(*, requester_id: int, name: str, interface: dict[str, Any], instructions: str) -> Project:
    """A project with its first version as a draft. Raises `InterfaceRefused` naming each field that is wrong."""
    require_transaction()
    checked = _checked(interface)
    project = Project.objects.create(requester_id=requester_id, name=name, made_at=MarketNow())
    Version.objects.create(project=project, number=1, interface=checked, instructions=instructions, made_at=MarketNow())
    return project


def add_version(*, project_id: int, interface: dict[str, Any], instructions: str) -> Version:
    """The project's next version, a draft. Earlier versions and what was answered under them stay as they are."""
    require_transaction()
    checked = _checked(interface)
    project = project_for_update(project_id)
    number = project.versions.count() + 1
    return Version.objects.create(
        project=project, number=number, interface=checked, instructions=instructions, made_at=MarketNow()
    )


def publish_version(*, project: Project, number: int) -> Version:
    """Make the version final. Repeating it changes nothing. Raises `NotFound`."""
    require_transaction()
    project_for_update(project.pk)
    Version.objects.filter(project=project, number=number, published_at=None).update(published_at=MarketNow())
    return version_of(project, number)


def _checked(interface: dict[str, Any]) -> dict[str, Any]:
    try:
        return check_interface(interface)
    except InterfaceInvalid as invalid:
        raise InterfaceRefused("The interface has errors.", errors=invalid.errors) from invalid
