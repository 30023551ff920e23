"""Text that only this site can read back: stored answers with secrets in them, and cursors."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac


class Unsealable(Exception):
    """The text was not sealed here, or for another purpose, or the secret has been replaced."""


def seal(purpose: str, plain: bytes) -> bytes:
    """Encrypted and authenticated, in characters that are safe in an address."""
    return _box(purpose).encrypt(plain)


def unseal(purpose: str, sealed: bytes) -> bytes:
    """The text that was sealed; raises `Unsealable`."""
    try:
        return _box(purpose).decrypt(sealed)
    except (InvalidToken, ValueError, TypeError) as error:
        raise Unsealable from error


def _box(purpose: str) -> MultiFernet:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    keys = [salted_hmac(f"touchstone.{purpose}", b"", secret=secret, algorithm="sha256").digest() for secret in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
