from django.apps import AppConfig


class WorkersWebConfig(AppConfig):
    name = "workers.web"
    label = "workers_web"
