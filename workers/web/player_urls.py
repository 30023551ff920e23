"""Do work: the player."""

from django.urls import path

from workers.web.views import player

urlpatterns = [path("batches/<uuid:batch>/do/", player.do, name="work_player")]
