"""Which addresses of the network the site may be made to connect to. Pure rules: text in, judgements out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

URL_MAX = 2_000
PORT = 443
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# IANA's special-purpose registry, and what clouds answer at for their own machines in public space.
CLOSED_4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
]  # fmt: skip
# Only what is handed out as global unicast is open, and of that neither tunnels, which lead to an address of version 4,
# nor ranges for protocols and examples. Mapped, compatible, unique local and link-local addresses lie outside.
OPEN_6 = IPv6Network("2000::/3")
CLOSED_6 = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")]
# Where a network has version 6 only, public hosts of version 4 appear here: judged by the address inside.
NAT64 = IPv6Network("64:ff9b::/96")
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
TARGET = re.compile(r"[!-~]*")


class BadUrl(ValueError):
    """The address cannot be used, whatever it resolves to; the words are for people."""


@dataclass(frozen=True)
class Place:
    """What an address names, in the only form in which it is used. `target` is path and query."""

    host: str  # in lower case; of version 6 without brackets
    port: int
    target: str

    @property
    def literal(self) -> Address | None:
        """The host as an address, if it is one."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT else f"{host}:{self.port}"


def place_of(url: str) -> Place:
    """Read an address strictly: one form for each, and none that programs read in different ways. Raises `BadUrl`."""
    if len(url) > URL_MAX:
        raise BadUrl(f"It has more than {URL_MAX} characters.")
    if not TARGET.fullmatch(url):
        raise BadUrl("It has spaces, control characters or letters beyond ASCII; write those percent-encoded.")
    if any(mark in url for mark in '\\#<>"{}|^`'):
        raise BadUrl("It has a backslash, a fragment or another character that addresses do not have.")
    if not url.startswith("https://"):
        raise BadUrl("It does not begin with https://.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadUrl("It cannot be read.") from None
    if "@" in parts.netloc:
        raise BadUrl("It has a name or a password in it.")
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:]+)(?::([1-9][0-9]{0,4}))?", parts.netloc)
    if found is None or int(found[2] or PORT) > 65_535:
        raise BadUrl("Its host or port cannot be read.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(_host(found[1]), int(found[2] or PORT), target)


def is_public(address: Address, closed: Iterable[Network] = ()) -> bool:
    """Whether anybody on the internet could connect there just as well as the site itself.

    `closed` are further networks of the operator's, as his own public addresses.
    """
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF), closed)
        open_ = address in OPEN_6 and not any(address in network for network in CLOSED_6) and address.scope_id is None
    else:
        open_ = not any(address in network for network in CLOSED_4)
    return open_ and not any(address in network for network in closed if network.version == address.version)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except AddressValueError:
            raise BadUrl("Its host is no address of version 6.") from None
    host = text.lower()
    labels = host.split(".")
    # What ends in a number is an address of version 4, in one of many forms of which one is taken.
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]) or (labels[-1] == "" and len(labels) > 1):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise BadUrl("Its host is no address of version 4 in the usual form.") from None
    if len(host) > 253 or len(labels) < 2 or not all(LABEL.fullmatch(label) for label in labels):
        raise BadUrl("Its host is no full name of a host.")
    return host
