"""A stand-in for the Celery application."""

import os

from celery import Celery

app = Celery(
    "stand_in", broker=os.environ["REDIS_URL"].replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
)
