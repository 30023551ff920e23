"""Find work: the board, a batch before it is taken, and what the worker says of himself."""

from django.urls import path

from workers.web.views import board, destinations, profile

urlpatterns = [
    path("", board.board, name="work_board"),
    path("batches/<uuid:batch>/", board.batch, name="work_batch"),
    path("start/", profile.start, name="work_start"),
    path("profile/", profile.profile, name="work_profile"),
    path("destinations/", destinations.destinations, name="work_destinations"),
    path("destinations/add/", destinations.add, name="work_destination_add"),
    path("destinations/<uuid:destination>/remove/", destinations.remove, name="work_destination_remove"),
    path("destinations/<uuid:destination>/threshold/", destinations.threshold, name="work_destination_threshold"),
]
