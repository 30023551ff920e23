"""Behind TLS: cookies and redirects are strict."""

from marketplace.settings.base import *

# No process that serves starts while `common.boot` finds something unsafe.
PRODUCTION = True
SECURE_SSL_REDIRECT = True
# Asked from inside, where nobody ends TLS.
SECURE_REDIRECT_EXEMPT = [r"^health/$", r"^ready/$", r"^metrics$"]
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
LOGGING = logging_config(LOG_FORMAT or "json", LOG_LEVEL, requests=LOG_LEVEL)
