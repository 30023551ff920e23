"""The ways an appeal is refused a hearing."""

from marketplace.common.errors import Conflict, Forbidden, Unprocessable


class AppealInvalid(Unprocessable):
    code = "appeal-invalid"
    title = "This is no appeal"


class NotAppealable(Conflict):
    code = "not-appealable"
    title = "This cannot be contested now"


class AppealOver(Conflict):
    code = "appeal-over"
    title = "The appeal is over"


class NotImpartial(Forbidden):
    code = "not-impartial"
    title = "This appeal is not yours to decide"
