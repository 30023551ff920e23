"""The ways billing refuses."""

from marketplace.common.errors import Conflict, Forbidden, NotFound, Unprocessable


class NoSuchDeposit(NotFound):
    code = "no-such-deposit"
    title = "There is no such deposit"


class DepositTakenBack(Conflict):
    code = "deposit-taken-back"
    title = "This deposit was taken back before"


class OwnOrganisation(Forbidden):
    code = "own-organisation"
    title = "Nobody keeps the books of an organisation of his own"


class InvoicingNotSetUp(Conflict):
    code = "invoicing-not-set-up"
    title = "This site does not say who it is"


class PeriodNotClosed(Conflict):
    code = "period-not-closed"
    title = "This month is not over"


class NothingToInvoice(Conflict):
    code = "nothing-to-invoice"
    title = "Nothing was spent in this month"


class NotCreditable(Conflict):
    code = "not-creditable"
    title = "This document cannot be credited"


class ReportInvalid(Unprocessable):
    code = "invalid-report"
    title = "Some rows of the report are not valid"
