"""Settings shared by every environment. The environment is read in one block; what is missing stops the start."""

import logging
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import environ

from marketplace.common.logs import logging_config
from marketplace.rest.description import PASSWORD_SCHEME, PROBLEM_COMPONENT

env = environ.Env()

# --- the environment ---------------------------------------------------------------------------------------------
SECRET_KEY: str = env.str("SECRET_KEY")
# Keys of before, newest first: what was sealed under one of them can still be read.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
DATABASE_URL: str = env.str("DATABASE_URL")
DATABASE_OWNER_URL: str = env.str("DATABASE_OWNER_URL")
REDIS_URL: str = env.str("REDIS_URL")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# How many proxies in front add the client's address; what they say is believed, and nothing beyond.
PROXIES: int = env.int("TOUCHSTONE_PROXIES", default=0)
LIVE_URL: str = env.str("TOUCHSTONE_LIVE_URL", default="")
# The pages that may open sockets, each as scheme://host[:port]; by default those that may post.
LIVE_ORIGINS: list[str] = env.list("TOUCHSTONE_LIVE_ORIGINS", default=CSRF_TRUSTED_ORIGINS)
LIVE_SOCKETS_MAX: int = env.int("TOUCHSTONE_LIVE_SOCKETS_MAX", default=12_000)
EMAIL_URL: str = env.str("EMAIL_URL", default="consolemail://")
# From which level on our own lines are logged, and how they look: "plain", or "json" for those who collect them; left
# empty, plain but for production.
LOG_LEVEL: str = env.str("TOUCHSTONE_LOG_LEVEL", default="INFO").upper()
LOG_FORMAT: str = env.str("TOUCHSTONE_LOG_FORMAT", default="")
# From where /metrics may be read without a staff key: addresses or networks, separated by commas.
METRICS_ADDRESSES: list[IPv4Network | IPv6Network] = env.list(
    "TOUCHSTONE_METRICS_ADDRESSES", cast=ip_network, default=[]
)
# What the platform asks of each batch, frozen on it when it is made: the fee on each paid answer in basis points of its
# price and at least a minimum, the least share of places to set aside for disputes, and how long one can contest.
PLATFORM_TERMS: dict[str, int] = {
    "fee_basis_points": env.int("TOUCHSTONE_FEE_BASIS_POINTS", default=1_000),
    "fee_minimum_micros": env.int("TOUCHSTONE_FEE_MINIMUM_MICROS", default=0),
    "dispute_basis_points": env.int("TOUCHSTONE_DISPUTE_BASIS_POINTS", default=500),
    "appeal_s": 86_400 * env.int("TOUCHSTONE_APPEAL_DAYS", default=7),
}
# How payouts leave. A provider whose values are not all given is not offered; an API base is for tests.
SEPA_NAME: str = env.str("TOUCHSTONE_SEPA_NAME", default="")
SEPA_IBAN: str = env.str("TOUCHSTONE_SEPA_IBAN", default="")
SEPA_BIC: str = env.str("TOUCHSTONE_SEPA_BIC", default="")
STRIPE_SECRET_KEY: str = env.str("TOUCHSTONE_STRIPE_SECRET_KEY", default="")
STRIPE_WEBHOOK_SECRET: str = env.str("TOUCHSTONE_STRIPE_WEBHOOK_SECRET", default="")
STRIPE_API_BASE: str = env.str("TOUCHSTONE_STRIPE_API_BASE", default="https://api.stripe.com")
PAYPAL_CLIENT_ID: str = env.str("TOUCHSTONE_PAYPAL_CLIENT_ID", default="")
PAYPAL_SECRET: str = env.str("TOUCHSTONE_PAYPAL_SECRET", default="")
PAYPAL_WEBHOOK_ID: str = env.str("TOUCHSTONE_PAYPAL_WEBHOOK_ID", default="")
PAYPAL_API_BASE: str = env.str("TOUCHSTONE_PAYPAL_API_BASE", default="https://api-m.paypal.com")
# What may be paid out, in micro-units of any currency: at once, and for one person within a day.
PAYOUT_MINIMUM_MICROS: int = env.int("TOUCHSTONE_PAYOUT_MINIMUM_MICROS", default=1_000_000)
PAYOUT_MAXIMUM_MICROS: int = env.int("TOUCHSTONE_PAYOUT_MAXIMUM_MICROS", default=5_000_000_000)
PAYOUT_DAILY_MICROS: int = env.int("TOUCHSTONE_PAYOUT_DAILY_MICROS", default=10_000_000_000)
PAYOUT_DAILY_COUNT: int = env.int("TOUCHSTONE_PAYOUT_DAILY_COUNT", default=5)
# From this amount on staff look at a payout before it is sent.
PAYOUT_REVIEW_MICROS: int = env.int("TOUCHSTONE_PAYOUT_REVIEW_MICROS", default=500_000_000)
# The provider for trials; it is not offered without both.
PAYOUT_TEST_URL: str = env.str("TOUCHSTONE_PAYOUT_TEST_URL", default="")
PAYOUT_TEST_SECRET: str = env.str("TOUCHSTONE_PAYOUT_TEST_SECRET", default="")
# Where webhooks may go: public hosts at these ports, but for further networks to keep out of, as the site's own public
# addresses. Single addresses to let in all the same ("127.0.0.1:8443"), and who certifies them, are for tests.
EGRESS_PORTS: list[int] = env.list("TOUCHSTONE_EGRESS_PORTS", cast=int, default=[443, 8443])
EGRESS_REFUSE: list[str] = env.list("TOUCHSTONE_EGRESS_REFUSE", default=[])
EGRESS_ALLOW: list[str] = env.list("TOUCHSTONE_EGRESS_ALLOW", default=[])
EGRESS_CA_FILE: str = env.str("TOUCHSTONE_EGRESS_CA_FILE", default="")
# Where requesters pay in, told with a reference that is the organisation's own. Lines are separated by "|".
PAY_IN_ACCOUNT: str = env.str("TOUCHSTONE_PAY_IN_ACCOUNT", default="").replace("|", "\n")
# Who sends the invoices; without a name none is issued. Lines of the address are separated by "|".
INVOICE_SELLER: dict[str, str] = {
    "name": env.str("TOUCHSTONE_INVOICE_SELLER", default=""),
    "address": env.str("TOUCHSTONE_INVOICE_SELLER_ADDRESS", default="").replace("|", "\n"),
    "tax_id": env.str("TOUCHSTONE_INVOICE_SELLER_TAX_ID", default=""),
    "note": env.str("TOUCHSTONE_INVOICE_NOTE", default=""),
}
# -----------------------------------------------------------------------------------------------------------------

BASE_DIR = Path(__file__).resolve().parents[2]
DEBUG = False
# Whether a process refuses to start where `common.boot` finds something unsafe.
PRODUCTION = False


def database(url: str) -> dict[str, Any]:
    """A Django database entry from a libpq URL; `?host=/folder` names a unix socket's folder."""
    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", None) or parts.hostname or "",
        "PORT": options.pop("port", None) or parts.port or "",
        # Connections persist: one per request would cost 3.5 ms of PostgreSQL's time each.
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **options,
            # `common.prepared` prepares what is worth it, and the driver would forget it with its own.
            "prepare_threshold": None,
            # A forgotten transaction would hold the outbox horizon; a runaway statement would hold a thread.
            # Whatever the server's or the role's default is, what was acknowledged is on disk (R10).
            "options": "-c synchronous_commit=on -c idle_in_transaction_session_timeout=10s -c statement_timeout=60s"
            " -c timezone=UTC",
        },
    }


DATABASES = {"default": database(DATABASE_URL), "owner": {**database(DATABASE_OWNER_URL), "CONN_MAX_AGE": 0}}
DATABASES["owner"]["OPTIONS"] = {**DATABASES["owner"]["OPTIONS"], "options": "-c timezone=UTC"}
RUNTIME_LOGIN: str = DATABASES["default"]["USER"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "marketplace.common",
    "marketplace.accounts",
    "marketplace.ledger",
    "marketplace.streams",
    "marketplace.payouts",
    "marketplace.projects",
    "workers.profiles",
    "marketplace.batches",
    "workers.reputation",
    "workers.gold",
    "workers.assignments",
    "marketplace.results",
    "workers.earnings",
    "workers.appeals",
    "marketplace.billing",
    "marketplace.webhooks",
    "marketplace.rest",
    "marketplace.pages",
    "marketplace.api",
    "workers.api",
    "workers.live",
    "workers.web",
    "marketplace.web",
    "marketplace.backoffice",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "channels",
    "django_htmx",
    "knox",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_structlog",
]

MIDDLEWARE = [
    "marketplace.rest.request_log.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "marketplace.pages.middleware.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "marketplace.pages.middleware.UnavailableMiddleware",
]

ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"
ASGI_APPLICATION = "marketplace.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "workers.web.unread.unread_news",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "marketplace.pages.templatetags.pages",
            ],
        },
    }
]

# --- people ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["marketplace.accounts.hashers.PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_ADAPTER = "marketplace.accounts.arrival.Adapter"
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
# By a code, so that somebody who reads his mail on another device goes on where he began.
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
# Somebody who closed the page with the field signs in for another code; the library would let him once in 3 minutes.
# Passwords at sign-in are counted by ours (`accounts.arrival`); codes of the second factor, and passwords of those who
# are in, as strictly.
ACCOUNT_RATE_LIMITS = {
    "confirm_email": "5/10m/key",
    "login_failed": "10/m/ip,10/15m/key",
    "change_password": "10/15m/user",
}
ACCOUNT_CHANGE_EMAIL = True
# Who changes an address, a password or the second factor has shown the password a moment ago.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_UNIQUE_EMAIL = True
ALLAUTH_TRUSTED_PROXY_COUNT = PROXIES
MFA_ADAPTER = "marketplace.accounts.second_factor.Adapter"
MFA_TOTP_ISSUER = "Touchstone"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "arrived"
LOGOUT_REDIRECT_URL = "/"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        # The live server has a port of its own where no proxy stands before both; of its address the origin counts.
        "connect-src": ["'self'", *(["/".join(LIVE_URL.split("/")[:3])] if LIVE_URL else [])],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "worker-src": ["'self'"],
        # What tasks show lies where their requesters keep it.
        "img-src": ["'self'", "data:", "blob:", "https:"],
        "media-src": ["'self'", "data:", "blob:", "https:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}

# --- Redis carries hints only ------------------------------------------------------------------------------------
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
# Celery spells a unix socket its own way.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 90}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_SOFT_TIME_LIMIT = 50
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# How long the result of a process that is gone may still be on its way, before its task counts as its victim.
CELERY_WORKER_LOST_WAIT = 1.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Connections outlive tasks: a new one for each sweep cost as much as all claims beside it (`marketplace.celery`).
CELERY_DB_REUSE_MAX = 100_000
CELERY_BEAT_SCHEDULER = "marketplace.common.beat.SteadyScheduler"
# Every entry is a sweep: "look at the table and do what is due". A lost or doubled message changes nothing, and a
# message that waited longer than `expires` is dropped, because the next one does the same work.
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": every_s, "options": {"expires": max(every_s * 2, 2)}}
    for name, task, every_s in [
        ("relay", "marketplace.common.tasks.relay_outbox", 0.5),
        ("score", "workers.gold.tasks.score_due", 0.25),
        ("rules", "workers.reputation.tasks.apply_rules", 1.0),
        ("audit-gold", "workers.gold.tasks.flag_suspicious", 5.0),
        ("wanted", "workers.assignments.tasks.do_wanted", 1.0),
        ("due", "workers.assignments.tasks.apply_due_everywhere", 1.0),
        ("match", "workers.assignments.tasks.match_waiting", 1.0),
        ("settle", "workers.assignments.tasks.settle_due", 1.0),
        ("seal", "marketplace.ledger.tasks.seal_transfers", 1.0),
        ("anchor", "marketplace.ledger.tasks.anchor_daily", 3600.0),
        ("anchor-log", "marketplace.accounts.tasks.anchor_acts_daily", 3600.0),
        ("fold", "marketplace.batches.tasks.fold_progress", 2.0),
        ("quarantine", "workers.assignments.tasks.refund_quarantined", 1.0),
        ("import", "marketplace.batches.tasks.advance_imports", 1.0),
        ("consensus", "marketplace.results.tasks.follow_consensus", 1.0),
        ("results", "marketplace.results.tasks.aggregate_settled", 10.0),
        ("figures", "marketplace.results.tasks.follow_figures", 2.0),
        ("datasets", "marketplace.results.tasks.build_datasets", 1.0),
        ("finish", "workers.assignments.tasks.finish_batches", 1.0),
        ("disputes", "workers.assignments.tasks.release_disputes", 60.0),
        ("reviews", "marketplace.results.tasks.move_reviews", 5.0),
        ("record-reviews", "marketplace.results.tasks.record_reviews", 5.0),
        ("appeals", "workers.appeals.tasks.settle_appeals", 5.0),
        ("note-webhooks", "marketplace.webhooks.tasks.note_events", 1.0),
        ("send-webhooks", "marketplace.webhooks.tasks.send_due", 1.0),
        ("notices", "marketplace.accounts.tasks.send_notices", 2.0),
        ("approve-payouts", "marketplace.payouts.tasks.approve_unreviewed", 5.0),
        ("send-payouts", "marketplace.payouts.tasks.send_approved", 2.0),
        ("follow-payouts", "marketplace.payouts.tasks.look_up_sent", 2.0),
        ("withdraw", "workers.earnings.tasks.withdraw_above_thresholds", 60.0),
        ("invoice", "marketplace.billing.tasks.issue_invoices", 600.0),
        ("forget", "marketplace.common.tasks.forget_old", 3600.0),
    ]
}

# --- REST --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "marketplace.rest.authentication.ApiKeyAuthentication",
        "marketplace.rest.authentication.PageAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["marketplace.rest.parsing.StrictJSONParser"],
    "EXCEPTION_HANDLER": "marketplace.rest.problems.to_problem",
    "DEFAULT_SCHEMA_CLASS": "marketplace.rest.openapi.Schema",
    # Views that take a format say what it means.
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "NUM_PROXIES": PROXIES,
}
# What strangers may try, each for one address, account or code.
LIMITS_PREFIX = "limit"
THROTTLES = {
    "sign-up": "10 per hour",
    "invitation": "30 per hour",
    "password-account": "10 per 15 minutes",
    "password-address": "50 per 15 minutes",
    "payout-notice": "60 per hour",
    "dataset-link": "60 per hour",
}
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "AUTO_REFRESH": False,
    "TOKEN_LIMIT_PER_USER": None,
    "TOKEN_PREFIX": "ts_",
}
KNOX_TOKEN_MODEL = "accounts.ApiKey"  # noqa: S105
# The library's own table is swapped out, and its migrations would make it all the same.
MIGRATION_MODULES = {"knox": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "Touchstone",
    "DESCRIPTION": "A crowdsourcing task marketplace that you run yourself.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    # Choices stay where they are used: naming them apart would need a list that grows with every endpoint.
    "POSTPROCESSING_HOOKS": [],
    # Several answers have a `state`, each of its own kind.
    "ENUM_NAME_OVERRIDES": {
        "BatchState": "marketplace.batches.states.BatchState",
        "VersionState": "marketplace.api.shapes.VERSION_STATES",
        "AnswerState": "marketplace.api.shapes.ANSWER_STATES",
    },
    "APPEND_COMPONENTS": {"schemas": {"Problem": PROBLEM_COMPONENT}, "securitySchemes": {"password": PASSWORD_SCHEME}},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

# --- the rest ----------------------------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
# A language is offered when its catalogue is whole: libraries know more of them, and half a page helps nobody. Another
# one is a line here and its files under locale/.
LANGUAGES = [("en", "English")]
# Beside the catalogues: how each language writes dates.
FORMAT_MODULE_PATH = "marketplace.pages.formats"
LOCALE_PATHS = [BASE_DIR / "locale"]
STATIC_URL = "/static/"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "marketplace.pages.vendor.VendorFinder",
]
NODE_MODULES = BASE_DIR / "node_modules"
# Whether /design/ shows every piece that pages are made of.
DESIGN_PAGE = False
WHITENOISE_USE_FINDERS = True
EMAIL_CONFIG = env.email_url_config(EMAIL_URL)
vars().update(EMAIL_CONFIG)
# Where mails can be read that leave the machine for nobody; pages say so to somebody who waits for one.
MAIL_PLACE = ""
# Who keeps the daily end of the ledger's chain of seals, outside: addresses separated by commas.
LEDGER_ANCHOR_EMAILS: list[str] = env.list("LEDGER_ANCHOR_EMAILS", default=[])
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="touchstone@localhost")
# A line for each request is for those who collect them; a proxy in front writes its own.
LOGGING = logging_config(LOG_FORMAT or "plain", LOG_LEVEL, requests="WARNING")
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# Sweeps come several a second: each is worth a line only to somebody who follows them, or when it fails.
DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL = logging.DEBUG
