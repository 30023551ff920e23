"""Every write to projects."""

from typing import Any

from marketplace.accounts.commands.acts import record
from marketplace.common.database import MarketNow
from marketplace.common.transactions import require_transaction
from marketplace.projects.errors import InterfaceRefused, VersionChanged, VersionFinal
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
    version = Version.objects.create(
        project=project, number=number, interface=checked, instructions=instructions, made_at=MarketNow()
    )
    version.refresh_from_db(fields=["made_at"])
    return version


def change_version(
    *, project: Project, number: int, interface: dict[str, Any], instructions: str, made_from: str | None = None
) -> Version:
    """Write a draft anew. `made_from` is the fingerprint of what the change was made from, if that is to count.

    Locks: project. Raises `NotFound`, `InterfaceRefused`, `VersionFinal`, and `VersionChanged` where it is another by
    now.
    """
    require_transaction()
    checked = _checked(interface)
    project_for_update(project.pk)
    version = version_of(project, number)
    if version.published_at is not None:
        raise VersionFinal("This version is published and stays as it is: make a new draft.", number=number)
    if made_from is not None and made_from != version.fingerprint:
        raise VersionChanged(
            "Somebody else saved this draft after you opened it. Keep a copy of yours, and load the page again.",
            fingerprint=version.fingerprint,
        )
    version.interface, version.instructions = checked, instructions
    version.save(update_fields=["interface", "instructions"])
    return version


def rename_project(*, project: Project, name: str) -> Project:
    """Give the project another name. Repeating it changes nothing."""
    require_transaction()
    project.name = name
    project.save(update_fields=["name"])
    return project


def checked_interface(interface: Any) -> dict[str, Any]:
    """The interface in its normal form, and nothing is written. Raises `InterfaceRefused` naming each field that is
    wrong."""
    return _checked(interface)


def publish_version(*, project: Project, number: int) -> Version:
    """Make the version final. Repeating it changes nothing. Raises `NotFound`."""
    require_transaction()
    project_for_update(project.pk)
    fresh = Version.objects.filter(project=project, number=number, published_at=None).update(published_at=MarketNow())
    if fresh:
        after = {"version": number}
        record("configuration.version_published", subject="project", subject_id=project.public_id, after=after)
    return version_of(project, number)


def _checked(interface: Any) -> dict[str, Any]:
    try:
        return check_interface(interface)
    except InterfaceInvalid as invalid:
        raise InterfaceRefused("The interface has errors.", errors=invalid.errors) from invalid
