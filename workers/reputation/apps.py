from django.apps import AppConfig


class ReputationConfig(AppConfig):
    name = "workers.reputation"
    label = "reputation"
