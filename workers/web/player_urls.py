"""Do work: the player."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
