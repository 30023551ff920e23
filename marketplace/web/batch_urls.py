"""Batches: the list, a new one, its set-up step by step, and the report of a pilot."""

from django.urls import path

from marketplace.web.views import batches, pilot, setup

DRAFT = "batches/<uuid:batch>/setup/"
PILOT = "batches/<uuid:batch>/pilot/"
urlpatterns = [
    path("<uuid:requester>/batches/", batches.batches, name="console_batches"),
    path("projects/<uuid:project>/new-batch/", batches.new, name="console_batch_new"),
    path(DRAFT, setup.setup, name="console_batch_setup"),
    path(f"{DRAFT}items/", setup.items, name="console_setup_items"),
    path(f"{DRAFT}gold/", setup.gold, name="console_setup_gold"),
    path(f"{DRAFT}terms/", setup.terms, name="console_setup_terms"),
    path(f"{DRAFT}audience/", setup.audience, name="console_setup_audience"),
    path(f"{DRAFT}quality/", setup.quality, name="console_setup_quality"),
    path(f"{DRAFT}check/", setup.check, name="console_setup_check"),
    path(f"{DRAFT}pilot/", setup.pilot, name="console_setup_pilot"),
    path(f"{DRAFT}discard/", setup.discard, name="console_setup_discard"),
    path(PILOT, pilot.report, name="console_batch_pilot"),
    path(f"{PILOT}confusion.csv", pilot.confusion_csv, name="console_pilot_confusion"),
    path(f"{PILOT}figures.csv", pilot.file_of, name="console_pilot_file"),
    path(f"{PILOT}go/", pilot.go, name="console_pilot_go"),
    path(f"{PILOT}change/", pilot.change, name="console_pilot_change"),
    path(f"{PILOT}results/", pilot.work_out, name="console_pilot_results"),
]
