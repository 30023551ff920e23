from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "workers.api"
    label = "workers_api"
