"""The ways results refuse."""

from marketplace.common.errors import Conflict


class NothingToAggregate(Conflict):
    code = "no-answers"
    title = "There are no accepted answers yet"
