"""The worker's pages, under /work/."""

from django.urls import include, path

urlpatterns = [
    path("", include("workers.web.board_urls")),
    path("", include("workers.web.player_urls")),
    path("", include("workers.web.money_urls")),
]
