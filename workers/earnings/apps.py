from django.apps import AppConfig


class EarningsConfig(AppConfig):
    name = "workers.earnings"
    label = "earnings"
