from django.apps import AppConfig


class AppealsConfig(AppConfig):
    name = "workers.appeals"
    label = "appeals"
