"""What came of work: earnings, standing, rejections and appeals, news."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
