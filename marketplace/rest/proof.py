"""Asking somebody who has a key for his password, and for a code of his second factor, before what a thief would do.

Both are looked at before the transaction of the request begins, and wrong ones count as wrong passwords do. A repeat
under the same Idempotency-Key is not asked again: it gets the stored answer, or nothing.
"""

from collections.abc import Callable
from typing import TypeVar

from marketplace.accounts.errors import CodeWrong, PasswordWrong
from marketplace.accounts.second_factor import (
    NewFactor,
    Proof,
    Shown,
    prove,
    prove_enrolment,
    require_password,
)
from marketplace.rest.boundary import answered_already
from marketplace.rest.requests import KeyRequest
from marketplace.rest.throttles import PasswordGuesses

Proven = TypeVar("Proven")


def proof_of(request: KeyRequest, *, password: str, code: str) -> Proof | None:
    """Password and code, or None for a repeat. Raises `PasswordWrong`, `SecondFactorMissing`, `CodeWrong`,
    `TooMany`."""
    return _guess(request, lambda: prove(user_id=request.user.pk, password=password, code=code))


def shown_password(request: KeyRequest, *, password: str) -> Shown | None:
    """The password alone, or None for a repeat. Raises `PasswordWrong`, `TooMany`."""
    return _guess(request, lambda: require_password(user_id=request.user.pk, password=password))


def new_factor_of(request: KeyRequest, *, token: str, code: str) -> NewFactor | None:
    """The first code of a new second factor, or None for a repeat. Raises `EnrolmentInvalid`, `CodeWrong`,
    `TooMany`."""
    return _guess(request, lambda: prove_enrolment(user_id=request.user.pk, token=token, code=code))


def _guess(request: KeyRequest, look: Callable[[], Proven]) -> Proven | None:
    if answered_already(request):
        return None
    guesses = PasswordGuesses(request, request.user.email)
    guesses.require_some_left()
    try:
        found = look()
    except (PasswordWrong, CodeWrong):
        guesses.count_wrong()
        raise
    guesses.forget()
    return found
