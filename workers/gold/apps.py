from django.apps import AppConfig


class GoldConfig(AppConfig):
    name = "workers.gold"
    label = "gold"
