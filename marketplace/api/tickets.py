"""Tickets: what a page or a program shows once to open a socket (R27)."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.views import APIView

from marketplace.accounts.commands.tickets import issue_ticket
from marketplace.accounts.models import Scope
from marketplace.rest.ask import Ask
from marketplace.rest.authentication import PageSession
from marketplace.rest.boundary import once
from marketplace.rest.permissions import WrongScope
from marketplace.rest.requests import KeyRequest

# The scope that a key needs for each kind of socket; the socket itself asks again, and for more.
SOCKETS = {"worker": Scope.WORKER, "requester": Scope.REQUESTER, "admin": Scope.STAFF}


class TicketAsk(Ask):
    socket = serializers.ChoiceField(choices=list(SOCKETS))


class TicketShape(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="Good once, as the socket's first frame")
    socket = serializers.ChoiceField(choices=list(SOCKETS))
    expires_at = serializers.DateTimeField()


class TicketsView(APIView):
    """With a key, or from a page by its session and its CSRF token."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        summary="Make a ticket that opens one socket, once, within 30 seconds",
        tags=["accounts"],
        request=TicketAsk,
        responses={201: TicketShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        socket = TicketAsk.of(request)["socket"]
        shown = request.auth
        if SOCKETS[socket] not in shown.scopes:
            scope = SOCKETS[socket].value
            raise WrongScope(f"This needs a key with the scope {scope!r}.", scope=scope)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            bound = (
                {"session_key": shown.session_key} if isinstance(shown, PageSession) else {"key_digest": shown.digest}
            )
            text, expires_at = issue_ticket(user_id=request.user.pk, socket=socket, **bound)
            body = {"ticket": text, "socket": socket, "expires_at": expires_at}
            return boundary.respond(body, status=201, secret=True)
