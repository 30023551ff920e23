"""People who can sign in, by cookie and by password. Everything here speaks to the database: call it by `beside`."""

from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from marketplace.accounts.hashers import PasswordHasher
from marketplace.accounts.models import User
from tests import factories as make
from workers.profiles.models import Worker

PASSWORD = "correct horse battery staple"


def session_of(user: User, *, code: bool = False) -> str:
    """The key of a new session of the user, as after signing in; with `code`, after a code of the second factor too."""
    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    if code:
        record_authentication(request, user, "mfa", type="totp")
    request.session.save()
    return str(request.session.session_key)


def with_password(user: User, password: str = PASSWORD) -> User:
    """The user with a verified e-mail address and a password that the site's own servers take: they hash otherwise
    than tests do."""
    hasher = PasswordHasher()
    user.password = hasher.encode(password, hasher.salt())
    user.save(update_fields=["password"])
    EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
    return user


def make_person(name: str = "Ada Lovelace") -> User:
    """Somebody who has signed up and is nothing yet; signs in with `PASSWORD`."""
    return with_password(make.make_user(name=name))


def make_worker(
    name: str = "Ada Lovelace", *, country: str = "DE", languages: tuple[str, ...] = ("en", "de")
) -> Worker:
    """A worker who signs in with `PASSWORD`."""
    return Worker.objects.create(user=make_person(name), country=country, languages=list(languages))
