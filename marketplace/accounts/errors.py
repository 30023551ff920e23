"""How accounts refuse."""

from marketplace.common.errors import Conflict, Forbidden, NotFound, Unprocessable


class EmailTaken(Conflict):
    code = "email-taken"
    title = "This e-mail address has an account"


class WeakPassword(Unprocessable):
    code = "weak-password"
    title = "This password is too easy to guess"


class ScopeNotAllowed(Forbidden):
    code = "scope-not-allowed"
    title = "This account may have no such key"


class RoleTooLow(Forbidden):
    code = "role-too-low"
    title = "Your role does not allow this"


class SignUpInvalid(Forbidden):
    code = "sign-up-invalid"
    title = "This code opens no account"


class NoSuchAccount(Unprocessable):
    code = "no-such-account"
    title = "Nobody has signed up with this e-mail address"


class StaffRoleNeeded(Forbidden):
    code = "staff-role-needed"
    title = "Your staff role does not allow this"


class NotAGranter(Forbidden):
    code = "not-a-granter"
    title = "You cannot change these roles"


class AlreadyMember(Conflict):
    code = "already-member"
    title = "This person is a member with another role"


class NotInvitable(Unprocessable):
    code = "not-invitable"
    title = "Some of these people cannot be invited"


class InvitationInvalid(NotFound):
    """Unknown, used and expired look the same."""

    code = "invitation-invalid"
    title = "This invitation cannot be used"


class InvitedElsewhere(Forbidden):
    code = "invited-elsewhere"
    title = "This invitation is for another e-mail address"


class LastOwner(Conflict):
    code = "last-owner"
    title = "An organisation needs an owner"


class PasswordWrong(Forbidden):
    code = "password-wrong"
    title = "The password is wrong"


class SecondFactorMissing(Conflict):
    code = "second-factor-missing"
    title = "A second factor is needed first"


class SecondFactorThere(Conflict):
    code = "second-factor-there"
    title = "There is a second factor already"


class CodeWrong(Forbidden):
    """Also for one of another time."""

    code = "code-wrong"
    title = "The code is wrong"


class CodeUsed(Forbidden):
    code = "code-used"
    title = "This code was used already"


class EnrolmentInvalid(Unprocessable):
    code = "enrolment-invalid"
    title = "This enrolment cannot be confirmed"


class SanctionInvalid(Unprocessable):
    code = "invalid-sanction"
    title = "There is no such sanction to impose"


class LiftNotAllowed(Forbidden):
    code = "made-by-staff"
    title = "You cannot lift this sanction"


class OwnMatter(Forbidden):
    """By any of his accounts, whether they are linked now or ever were."""

    code = "own-matter"
    title = "Nobody decides in his own matter"


class SanctionReused(Conflict):
    code = "sanction-reused"
    title = "This firing already limits somebody else"
