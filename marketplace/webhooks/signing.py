"""How a receiver knows that a webhook is ours and of now: HMAC-SHA-256 over the time and the bytes of the body."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

from marketplace.common.sealing import seal, unseal

PURPOSE = "webhook"
PREFIX = "whsec_"


def new_secret() -> str:
    """A secret to be shown once."""
    return PREFIX + secrets.token_urlsafe(32)


def kept(secret: str) -> bytes:
    """The secret as it is stored: only this site can read it back."""
    return seal(PURPOSE, secret.encode())


def opened(stored: bytes) -> str:
    """The stored secret; raises `Unsealable` where the site's own key was replaced."""
    return unseal(PURPOSE, stored).decode()


def signature(secrets_: Iterable[str], at: int, body: bytes) -> str:
    """The value of `Touchstone-Signature`: `t=<Unix time>`, and one `v1` for each secret that is valid now.

    Each is HMAC-SHA-256, in hexadecimal, under the whole secret with its prefix, of the time in digits, a dot and the
    body. A receiver takes one that fits any of them, and none that is older than five minutes.
    """
    text = str(at).encode() + b"." + body
    signs = [hmac.new(secret.encode(), text, hashlib.sha256).hexdigest() for secret in secrets_]
    return ",".join([f"t={at}", *(f"v1={sign}" for sign in signs)])
