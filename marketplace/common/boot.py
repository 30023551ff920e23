"""It refuses to start unsafe (R35): what must be so in production, each with a name and what to do.

No process that serves starts while one of these is true of its settings, whatever module they come from; the same are
errors of `manage.py check --deploy`. And no process, in production or not, speaks to the database in a role that no
rule of the database binds.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings as site
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created
from django.utils.module_loading import import_string

from marketplace.common.durability import NotDurable

SECRET_LENGTH = 50
SECRET_LETTERS = 10
# What stands in examples, and what frameworks make for trials.
PLACEHOLDERS = ("insecure", "change", "secret", "example", "placeholder", "password", "touchstone")
HSTS_S = 30 * 86_400
# Mail that reaches nobody; what it says, as codes and links to new passwords, would lie in a log or a folder.
NOWHERE = ("console", "dummy", "locmem", "filebased")
RIGHTS = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"


@dataclass(frozen=True)
class Unsafe:
    """One reason not to start."""

    name: str
    sentence: str


class UnsafeRole(NotDurable):
    """A connection's role may do anything; the process ends as over a database that may lose what it confirmed."""


def unsafe(settings: Any) -> list[Unsafe]:
    """Why the site must not be served with these settings; empty where it may."""
    return [Unsafe(name, sentence) for rule in RULES for name, sentence in rule(settings)]


def require_safety() -> None:
    """End the process with the reasons, one a line, if its settings are unsafe. Called by each that serves, before
    `require_durability`; from then on every connection's role is judged too."""
    if site.PRODUCTION and (found := unsafe(site)):
        raise SystemExit("\n".join(f"Touchstone does not start: {one.sentence} [{one.name}]" for one in found))
    connection_created.connect(_judge_role, dispatch_uid="role")


def role_refusal(superuser: bool, bypasses: bool) -> Unsafe | None:
    """Why a role with these rights is refused, if it is."""
    if not (superuser or bypasses):
        return None
    what = "is a superuser" if superuser else "bypasses row-level security"
    return Unsafe(
        "database-role", f"the role of DATABASE_URL {what}, so that no guard in the database binds it: give it one of"
        " its own, as deploy/README.md says."
    )  # fmt: skip


@register(Tags.security, deploy=True)
def check_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """The same as a check of Django's, for those who look before they start."""
    found = unsafe(site)
    try:
        with connection.cursor() as cursor:
            cursor.execute(RIGHTS)
            refused = role_refusal(*cursor.fetchone())
    except OperationalError:
        refused = None
    except UnsafeRole:
        refused = role_refusal(True, True)
    return [Error(one.sentence, id=f"touchstone.{one.name}") for one in [*found, *([refused] if refused else [])]]


def _judge_role(connection: Any, **_: Any) -> None:
    if connection.alias != "default":
        return
    with connection.cursor() as cursor:
        cursor.execute(RIGHTS)
        refused = role_refusal(*cursor.fetchone())
    if refused:
        connection.close()
        raise UnsafeRole(f"Touchstone does not start: {refused.sentence} [{refused.name}]")


# --- the rules ---------------------------------------------------------------------------------------------------

Found = Iterator[tuple[str, str]]


def _secrets(settings: Any) -> Found:
    for variable, key in [
        ("SECRET_KEY", settings.SECRET_KEY),
        *[("SECRET_KEY_FALLBACKS", key) for key in settings.SECRET_KEY_FALLBACKS],
    ]:
        named = variable.lower().replace("_", "-")
        if any(word in key.lower() for word in PLACEHOLDERS):
            yield f"{named}-placeholder", f"{variable} is the one of an example: make one of random characters."
        elif len(key) < SECRET_LENGTH or len(set(key)) < SECRET_LETTERS:
            yield (
                f"{named}-weak",
                f"{variable} needs {SECRET_LENGTH} random characters or more: what it seals could be forged.",
            )
    if settings.SECRET_KEY in settings.SECRET_KEY_FALLBACKS:
        yield "secret-key-not-rotated", "SECRET_KEY_FALLBACKS holds SECRET_KEY itself: it was not replaced."


def _debug(settings: Any) -> Found:
    if settings.DEBUG or settings.DEBUG_PROPAGATE_EXCEPTIONS:
        yield "debug", "DEBUG shows the inside of the site to everybody who finds an error: leave it off."
    if settings.DESIGN_PAGE or "testserver" in settings.ALLOWED_HOSTS:
        yield "made-for-trials", "these settings are made for trials and tests: start from marketplace.settings.prod."


def _hosts(settings: Any) -> Found:
    if not settings.ALLOWED_HOSTS or any("*" in host or not host.strip(".") for host in settings.ALLOWED_HOSTS):
        yield "any-host", "ALLOWED_HOSTS must name the hosts of the site: with * links in mails lead where others say."


def _origins(settings: Any) -> Found:
    for variable, origins in (
        ("CSRF_TRUSTED_ORIGINS", settings.CSRF_TRUSTED_ORIGINS),
        ("TOUCHSTONE_LIVE_ORIGINS", settings.LIVE_ORIGINS),
    ):
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if host.strip("/") in ("", "*") or origin == "*":
                yield "any-origin", f"{variable} must name origins one by one: pages of others could act for people."
            elif scheme != "https" and not _here(urlsplit(origin).hostname):
                yield "plain-origin", f"{variable} must be https: {origin} can be made up by anybody on the way."


def _live(settings: Any) -> Found:
    if settings.LIVE_URL.startswith("ws://") and not _here(urlsplit(settings.LIVE_URL).hostname):
        yield "plain-sockets", "TOUCHSTONE_LIVE_URL must be wss://: what sockets say could be read on the way."


def _transport(settings: Any) -> Found:
    if not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE):
        yield (
            "plain-cookies",
            "SESSION_COOKIE_SECURE and CSRF_COOKIE_SECURE keep sessions off plain HTTP.",
        )
    if not settings.SESSION_COOKIE_HTTPONLY:
        yield "readable-cookies", "SESSION_COOKIE_HTTPONLY keeps scripts from the session: leave it on."
    if not settings.SECURE_SSL_REDIRECT or settings.SECURE_HSTS_SECONDS < HSTS_S:
        yield "plain-http", "SECURE_SSL_REDIRECT and SECURE_HSTS_SECONDS keep people on TLS: leave them as they are."


def _policy(settings: Any) -> Found:
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    loose = {"'unsafe-inline'", "'unsafe-eval'", "*", "data:"}
    if any(loose & set(directives.get(name, ["*"])) for name in ("default-src", "script-src", "style-src")):
        yield "loose-policy", "CONTENT_SECURITY_POLICY lets in scripts or styles that are not the site's own."


def _passwords(settings: Any) -> Found:
    if import_string(settings.PASSWORD_HASHERS[0]).algorithm != "argon2":
        yield "weak-hasher", "PASSWORD_HASHERS must begin with Argon2: others are guessed too fast."
    if not settings.AUTH_PASSWORD_VALIDATORS:
        yield "any-password", "AUTH_PASSWORD_VALIDATORS is empty: any password would do."


def _database(settings: Any) -> Found:
    served, owned = settings.DATABASES["default"], settings.DATABASES["owner"]
    options = served["OPTIONS"]
    if _network(served["HOST"]) and not (served["PASSWORD"] or {"passfile", "sslcert", "service"} & options.keys()):
        yield "open-database", "DATABASE_URL goes over a network without a password: whoever reaches it is let in."
    if served["USER"] and served["USER"] == owned["USER"]:
        yield "database-owner", "DATABASE_URL names the owner's role: the site must own nothing that it serves."
    if "synchronous_commit=on" not in options.get("options", ""):
        yield "forgetful-database", "synchronous_commit must be on: what was acknowledged could be lost."


def _redis(settings: Any) -> Found:
    parts = urlsplit(settings.REDIS_URL)
    password = parts.password or parse_qs(parts.query).get("password")
    if parts.scheme != "unix" and not password and not _here(parts.hostname):
        yield "open-redis", "REDIS_URL goes over a network without a password: whoever reaches it could lift limits."


def _mail(settings: Any) -> Found:
    if settings.EMAIL_BACKEND.split(".")[-2] in NOWHERE:
        yield "mail-nowhere", "EMAIL_URL sends no mail: codes and links to new passwords would lie in the log."


def _celery(settings: Any) -> Found:
    if set(settings.CELERY_ACCEPT_CONTENT) != {"json"}:
        yield "pickled-tasks", "CELERY_ACCEPT_CONTENT must be json alone: other forms run what they are sent."


def _outside(settings: Any) -> Found:
    if settings.EGRESS_ALLOW or settings.EGRESS_CA_FILE:
        yield (
            "egress-exceptions",
            "TOUCHSTONE_EGRESS_ALLOW and TOUCHSTONE_EGRESS_CA_FILE are for tests.",
        )
    if settings.PAYOUT_TEST_URL or settings.PAYOUT_TEST_SECRET:
        yield "payout-trials", "TOUCHSTONE_PAYOUT_TEST_URL and its secret are for trials: leave them out."
    for variable, url in (
        ("TOUCHSTONE_STRIPE_API_BASE", settings.STRIPE_API_BASE),
        ("TOUCHSTONE_PAYPAL_API_BASE", settings.PAYPAL_API_BASE),
    ):
        if not url.startswith("https://"):
            yield "plain-provider", f"{variable} must be https: orders to pay could be changed on the way."
    if settings.PROXIES < 0:
        yield "proxies", "TOUCHSTONE_PROXIES counts the proxies in front: it cannot be less than none."


RULES = (
    _secrets, _debug, _hosts, _origins, _live, _transport, _policy, _passwords, _database, _redis, _mail, _celery,
    _outside,
)  # fmt: skip


def _here(host: str | None) -> bool:
    """Whether the name is this machine's own."""
    if host in ("localhost", None):
        return host is not None
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _network(host: str) -> bool:
    """Whether a database's host is reached by TCP."""
    return bool(host) and not host.startswith("/")
