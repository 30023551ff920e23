"""The ways batches refuse."""

from marketplace.common.errors import Conflict, Unprocessable


class BatchNotOpen(Conflict):
    code = "batch-not-open"
    title = "This batch takes no work now"


class WrongState(Conflict):
    code = "wrong-batch-state"
    title = "The batch is not in a state for this"


class TermsInvalid(Unprocessable):
    code = "invalid-terms"
    title = "The terms are not valid"


class RowsInvalid(Unprocessable):
    code = "invalid-rows"
    title = "Some rows are not valid; nothing was imported"


class NothingToPublish(Conflict):
    code = "batch-empty"
    title = "The batch has no tasks"


class ImportRunning(Conflict):
    code = "import-running"
    title = "An import into this batch is not finished"


class ImportEnded(Conflict):
    code = "import-ended"
    title = "This import takes nothing more"


class ImportTooLarge(Unprocessable):
    code = "import-too-large"
    title = "The file is too large for one import"


class PrioritiesInvalid(Unprocessable):
    code = "invalid-priorities"
    title = "Some priorities are not valid; none was changed"


class HoldTooLarge(Unprocessable):
    code = "hold-too-large"
    title = "The batch can cost more than an account may hold"


class MappingInvalid(Unprocessable):
    code = "invalid-mapping"
    title = "The columns cannot be taken so"


class FileUnreadable(Unprocessable):
    code = "unreadable-file"
    title = "The file cannot be read"


class KeysInvalid(Unprocessable):
    code = "invalid-keys"
    title = "Some keys are not valid; none was changed"


class NoSuchItems(Unprocessable):
    code = "no-such-items"
    title = "Some items are not there; nothing was changed"


class CopyTooLarge(Unprocessable):
    code = "copy-too-large"
    title = "The items are too many to be copied"
