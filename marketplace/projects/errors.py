"""The ways projects refuse."""

from marketplace.common.errors import Conflict, Unprocessable


class InterfaceRefused(Unprocessable):
    code = "invalid-interface"
    title = "The interface is not valid"


class VersionNotPublished(Conflict):
    code = "version-not-published"
    title = "The version is not published yet"


class VersionFinal(Conflict):
    code = "version-final"
    title = "The version is published and never changes"


class VersionChanged(Conflict):
    """Somebody else was quicker; what he wrote is not written over unseen."""

    code = "version-changed"
    title = "Somebody else changed this draft"
