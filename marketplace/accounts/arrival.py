"""How people come in by the pages: what the sign-in library asks of us, and who has to show that an address is his."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.stages import EmailVerificationStage
from django.http import HttpResponse

LIBRARYS_STAGE = "allauth.account.stages.EmailVerificationStage"


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """The library's ways, but for who verifies his address at sign-in."""

    def get_login_stages(self) -> list[str]:
        ours = f"{VerificationStage.__module__}.{VerificationStage.__qualname__}"
        return [ours if stage == LIBRARYS_STAGE else stage for stage in super().get_login_stages()]


class VerificationStage(EmailVerificationStage):  # type: ignore[misc]
    """Nobody who signs up by the pages is in before his address is shown to be his.

    Accounts that come from elsewhere, by the API or an invitation, have no address on record to be shown; nor is
    anybody locked out later who was in before.
    """

    def handle(self) -> tuple[HttpResponse | None, bool]:
        user = self.login.user
        came_before = user is not None and not self.login.signup and user.last_login is not None
        from_elsewhere = user is not None and not EmailAddress.objects.filter(user_id=user.pk).exists()
        if came_before or (from_elsewhere and not self.login.signup):
            return None, True
        answer: tuple[HttpResponse | None, bool] = super().handle()
        return answer
