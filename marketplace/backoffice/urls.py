"""The staff's own pages, under /staff/."""

from django.urls import include, path

urlpatterns = [
    path("", include("marketplace.backoffice.market_urls")),
    path("", include("marketplace.backoffice.money_urls")),
    path("", include("marketplace.backoffice.people_urls")),
    path("records/", include("marketplace.backoffice.records.urls")),
]
