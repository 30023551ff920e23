"""How people come in by the pages: what the sign-in library asks of us, and who has to show that an address is his."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.ratelimit import respond_429
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import get_random_string

from marketplace.accounts.commands import end_keys
from marketplace.accounts.models import User
from marketplace.common.limits import PasswordGuesses, address_of
from marketplace.common.transactions import one_transaction

LIBRARYS_STAGE = "allauth.account.stages.EmailVerificationStage"


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """The library's ways, but for who verifies his address at sign-in, and for how tries are counted: wrong passwords
    count here as they do over the API, and with those (R34)."""

    _guesses: PasswordGuesses

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        account = credentials.get("email") or f"user {request.user.pk}"
        self._guesses = PasswordGuesses(address=address_of(request), account=account)
        if (wait_s := self._guesses.too_many_s()) is not None:
            refused = respond_429(request)
            refused["Retry-After"] = str(wait_s)
            raise ImmediateHttpResponse(refused)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        user: User | None = super().authenticate(request, **credentials)
        if user is not None:
            self._guesses.forget()
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        self._guesses.count_wrong()

    def send_account_already_exists_mail(self, email: str) -> None:
        # A new account costs a hash; without one here the time would tell who has an account.
        make_password(get_random_string(20))
        super().send_account_already_exists_mail(email)

    def set_password(self, user: User, password: str) -> None:
        super().set_password(user, password)
        if not self.request.user.is_authenticated:
            # Who resets a password has lost it, perhaps to somebody who has made keys with it.
            with one_transaction(principal=f"user:{user.pk}"):
                end_keys(user_id=user.pk)

    def get_login_stages(self) -> list[str]:
        ours = f"{VerificationStage.__module__}.{VerificationStage.__qualname__}"
        return [ours if stage == LIBRARYS_STAGE else stage for stage in super().get_login_stages()]


def has_to_show_address(user: User) -> bool:
    """Whether this account was opened by the pages and nobody has shown yet that its address is his."""
    return (
        user.last_login is None
        and EmailAddress.objects.filter(user_id=user.pk).exists()
        and not EmailAddress.objects.filter(user_id=user.pk, verified=True).exists()
    )


class VerificationStage(EmailVerificationStage):  # type: ignore[misc]
    """Nobody who signs up by the pages is in before his address is shown to be his.

    Accounts that come by an invitation have no address on record to be shown, and those by the API have shown it; nor
    is anybody locked out later who was in before.
    """

    def handle(self) -> tuple[HttpResponse | None, bool]:
        user = self.login.user
        came_before = user is not None and not self.login.signup and user.last_login is not None
        from_elsewhere = user is not None and not EmailAddress.objects.filter(user_id=user.pk).exists()
        if came_before or (from_elsewhere and not self.login.signup):
            return None, True
        answer: tuple[HttpResponse | None, bool] = super().handle()
        return answer
