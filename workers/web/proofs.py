"""What a worker shows, before a payout or a change of where he is paid, that it is he."""

from django.utils.translation import gettext as _

from marketplace.accounts.errors import CodeWrong, PasswordWrong, SecondFactorMissing
from marketplace.accounts.second_factor import Proof, prove, prove_code
from marketplace.common.errors import Conflict
from marketplace.pages.templatetags.pages import duration
from marketplace.rest.errors import TooMany, Unavailable
from marketplace.rest.throttles import PasswordGuesses
from workers.web.people import WorkerRequest


def proof_of(request: WorkerRequest, *, code: str, password: str | None = None) -> Proof:
    """Looks at the code, and at the password where one is asked for, before the transaction of what they are for.

    Wrong ones count as wrong passwords do. Raises `PasswordWrong`, `CodeWrong`, `SecondFactorMissing`, and `Conflict`
    after too many.
    """
    guesses = PasswordGuesses(request, request.user.email)  # type: ignore[arg-type]
    try:
        guesses.require_some_left()
    except TooMany as error:
        wait = duration(error.wait)
        raise Conflict(_("Too many wrong tries. Wait %(time)s before the next.") % {"time": wait}) from None
    except Unavailable:
        raise Conflict(_("This cannot be checked just now. Try again in a moment.")) from None
    user = request.user.pk
    try:
        proof = (
            prove_code(user_id=user, code=code)
            if password is None
            else prove(user_id=user, password=password, code=code)
        )
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
