"""Celery carries hints: every task is a sweep over a table, so losing or doubling a message costs seconds at most."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings.prod")
app = Celery("touchstone")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def start_worker(**_: Any) -> None:
    """Before the worker's processes fork."""
    from marketplace.common.durability import require_durability

    require_durability()
