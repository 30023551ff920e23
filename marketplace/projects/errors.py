"""The ways projects refuse."""

from marketplace.common.errors import Conflict, Unprocessable


class InterfaceRefused(Unprocessable):
    code = "invalid-interface"
    title = "The interface is not valid"


class VersionNotPublished(Conflict):
    code = "version-not-published"
    title = "The version is not published yet"
