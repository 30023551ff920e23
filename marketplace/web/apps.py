from django.apps import AppConfig


class MarketplaceWebConfig(AppConfig):
    name = "marketplace.web"
    label = "marketplace_web"
