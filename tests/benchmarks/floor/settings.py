"""The smallest Django and DRF site that authenticates a token (one query) and asks the database one question.

What it costs is the framework's own floor. BENCH_CONNECTIONS: "persist" (CONN_MAX_AGE), "pool" (psycopg's) or "fresh"
(a connection for each request, Django's default).
"""

import os
from typing import Any

MODE = os.environ.get("BENCH_CONNECTIONS", "persist")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SECRET_KEY = "floor"
USE_TZ = True
ROOT_URLCONF = "tests.benchmarks.floor.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "rest_framework.authtoken",
]
MIDDLEWARE: list[str] = []
OPTIONS: dict[str, Any] = {"pool": {"min_size": 4, "max_size": 16, "timeout": 30}} if MODE == "pool" else {}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "floor",
        "USER": os.environ["BENCH_FLOOR_USER"],
        "HOST": os.environ["BENCH_FLOOR_HOST"],
        "CONN_MAX_AGE": 600 if MODE == "persist" else 0,
        "OPTIONS": OPTIONS,
    }
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
