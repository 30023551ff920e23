"""The ways in which commands about gold refuse."""

from marketplace.common.errors import Conflict, NotFound


class NoSuchKey(NotFound):
    code = "no-such-key"
    title = "There is no such key"


class KeyStays(Conflict):
    code = "key-stays"
    title = "The key stays as it is"
