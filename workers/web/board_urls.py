"""Find work: the board, a batch before it is taken, and what the worker says of himself."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
