"""What somebody shows on a page, before what a thief would do, that it is he."""

from typing import Any

from django.utils.translation import gettext as _

from marketplace.accounts.errors import CodeWrong, PasswordWrong, SecondFactorMissing
from marketplace.accounts.second_factor import Proof, has_second_factor, prove, prove_code, require_password
from marketplace.common.errors import Conflict
from marketplace.pages.templatetags.pages import duration
from marketplace.rest.errors import TooMany, Unavailable
from marketplace.rest.throttles import PasswordGuesses


def proof_of(request: Any, *, code: str, password: str | None = None) -> Proof:
    """Looks at the code, and at the password where one is asked for, before the transaction of what they are for.

    Wrong ones count as wrong passwords do. Raises `PasswordWrong`, `CodeWrong`, `SecondFactorMissing`, and `Conflict`
    after too many.
    """
    proof = _looked(request, code=code, password=password)
    assert proof is not None, "a code was asked for"
    return proof


def password_proof_of(request: Any, *, password: str, code: str = "") -> Proof | None:
    """The same where a password will do for who has no second factor: then there is no proof to spend, but the password
    was right. Raises as `proof_of` does."""
    with_code = has_second_factor(request.user.pk)
    return _looked(request, code=code if with_code else None, password=password)


def _looked(request: Any, *, code: str | None, password: str | None) -> Proof | None:
    guesses = PasswordGuesses(request, request.user.email)
    try:
        guesses.require_some_left()
    except TooMany as error:
        wait = duration(error.wait)
        raise Conflict(_("Too many wrong tries. Wait %(time)s before the next.") % {"time": wait}) from None
    except Unavailable:
        raise Conflict(_("This cannot be checked just now. Try again in a moment.")) from None
    user, proof = request.user.pk, None
    try:
        if code is None:
            require_password(user_id=user, password=password or "")
        elif password is None:
            proof = prove_code(user_id=user, code=code)
        else:
            proof = prove(user_id=user, password=password, code=code)
    except PasswordWrong:
        guesses.count_wrong()
        raise PasswordWrong(_("This is not the password of your account."), field="password") from None
    except CodeWrong:
        guesses.count_wrong()
        raise CodeWrong(_("This is not what your authenticator app shows now."), field="code") from None
    except SecondFactorMissing:
        raise SecondFactorMissing(_("Set up an authenticator app for your account first.")) from None
    guesses.forget()
    return proof
