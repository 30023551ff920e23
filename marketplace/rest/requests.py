"""What a view behind a key may rely on."""

from typing import TYPE_CHECKING

from rest_framework.request import Request

from marketplace.accounts.models import ApiKey, User
from marketplace.rest.authentication import PageSession

if TYPE_CHECKING:

    class KeyRequest(Request):
        """A request with a key, or from a page: `user` is who asks, and `worker_id` set where the permission asks for a
        worker."""

        @property  # type: ignore[misc]
        def user(self) -> User: ...  # type: ignore[override]
        @property  # type: ignore[misc]
        def auth(self) -> ApiKey | PageSession: ...  # type: ignore[override]

        worker_id: int

else:
    KeyRequest = Request
