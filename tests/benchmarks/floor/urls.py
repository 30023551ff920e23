"""The trivial view."""

from django.db import connection
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Trivial(APIView):
    """Token authentication and SELECT 1."""

    def get(self, request: Request) -> Response:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return Response({"ok": cursor.fetchone()[0]})


urlpatterns = [path("trivial/", Trivial.as_view())]
