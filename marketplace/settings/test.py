"""Tests act as the runtime role on real servers; only the password hash is cheap."""

from marketplace.settings.base import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LIVE_ORIGINS = ["http://testserver", "https://desk.example:8443"]
DESIGN_PAGE = True
