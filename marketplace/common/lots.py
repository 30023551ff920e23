"""An order of accounts that says nothing of them (R43).

Requesters see a worker by names of their own. Were rows that are alike in all that is shown to stand in the order of
accounts, two requesters could lay their lists beside each other and line up the names of the same people. So ties fall
by lot: by a hash of the account behind a key that only this site has, another for each batch, and the same each time.
"""

import hashlib
from typing import Any

from django.utils.crypto import salted_hmac

# `lot` as SQL has it, of an id in the braces; its parameter is the key.
LOT = "sha256(convert_to(%s::text || {}, 'UTF8'))"


def lots_of(what: Any) -> str:
    """The key of the lots that are drawn within one thing: the public id of a batch."""
    return salted_hmac("touchstone.lots", str(what), algorithm="sha256").hexdigest()


def lot(key: str, account: int) -> bytes:
    """The lot of an account: what ties are broken by."""
    return hashlib.sha256(f"{key}{account}".encode()).digest()
