"""Behind TLS: cookies and redirects are strict."""

from django.core.exceptions import ImproperlyConfigured

from marketplace.settings.base import *

if EGRESS_ALLOW or EGRESS_CA_FILE:
    raise ImproperlyConfigured("TOUCHSTONE_EGRESS_ALLOW and TOUCHSTONE_EGRESS_CA_FILE are for tests: leave them out.")

SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STATIC_ROOT = BASE_DIR / "staticfiles"  # filled by collectstatic
# Beside each file its compressed twin, for proxies and servers that do not compress by themselves.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
