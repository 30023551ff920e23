"""The requester's console, under /console/."""

from django.urls import include, path

urlpatterns = [
    path("", include("marketplace.web.start_urls")),
    path("", include("marketplace.web.project_urls")),
    path("", include("marketplace.web.batch_urls")),
    path("", include("marketplace.web.watch_urls")),
    path("", include("marketplace.web.review_urls")),
    path("", include("marketplace.web.data_urls")),
]
