"""The ways payouts refuse."""

from marketplace.common.errors import BadRequest, Conflict, Forbidden, NotFound, Unprocessable


class DestinationInvalid(Unprocessable):
    code = "destination-invalid"
    title = "This destination cannot be paid to"


class DestinationTaken(Conflict):
    """It does not say whose it is."""

    code = "destination-taken"
    title = "This destination cannot be used with this account"


class DestinationThere(Conflict):
    code = "destination-there"
    title = "You have this destination already"


class NoSuchDestination(NotFound):
    code = "no-such-destination"
    title = "There is no such destination"


class DestinationNotUsable(Conflict):
    """Too young, or removed."""

    code = "destination-not-usable"
    title = "Nothing can be paid to this destination now"


class AmountInvalid(Unprocessable):
    code = "amount-invalid"
    title = "This amount cannot be paid out"


class TooMuchAtOnce(Conflict):
    code = "payout-limit"
    title = "This is more than may be paid out within a day"


class NoSuchPayout(NotFound):
    code = "no-such-payout"
    title = "There is no such payout"


class WrongState(Conflict):
    code = "wrong-payout-state"
    title = "The payout is past this"


class OwnPayout(Forbidden):
    code = "own-payout"
    title = "Nobody decides on a payout to himself"


class NotByFile(Conflict):
    code = "not-by-file"
    title = "This provider is not given files"


class NothingToRun(Conflict):
    code = "nothing-to-run"
    title = "No payout waits for this run"


class NoSuchRun(NotFound):
    code = "no-such-run"
    title = "There is no such run"


class OwnRun(Forbidden):
    code = "own-run"
    title = "Somebody else has to release this run"


class RunNotReleased(Conflict):
    code = "run-not-released"
    title = "Nobody else has looked at this run"


class ReportInvalid(Unprocessable):
    code = "report-invalid"
    title = "The report cannot be read"


class NoticeUnclear(Conflict):
    code = "notice-unclear"
    title = "This notice could not be checked"


class NoticeRefused(BadRequest):
    code = "notice-refused"
    title = "This notice is not believed"


class ThresholdInvalid(Unprocessable):
    code = "threshold-invalid"
    title = "This threshold cannot be set"


class FileUnreadable(Conflict):
    code = "file-unreadable"
    title = "The file of this run cannot be made"
