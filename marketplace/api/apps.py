from typing import Any

from celery.signals import beat_init
from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "marketplace.api"
    label = "marketplace_api"

    def ready(self) -> None:
        beat_init.connect(_keep_configuration, dispatch_uid="configuration")


def _keep_configuration(**_: Any) -> None:
    """Of all processes of the site there is one beat, so that it writes down what the site starts with."""
    from marketplace.api.configuration import keep_at_start

    keep_at_start()
