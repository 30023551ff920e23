"""Every way of paying out that this program knows, and which of them this site offers."""

from functools import cache

from django.utils.module_loading import import_string

from marketplace.common.errors import NotFound
from marketplace.payouts.providers.base import CallProvider, FileProvider, Provider

# A provider is offered once its settings are complete; until then its class only waits here.
KNOWN = (
    "marketplace.payouts.providers.manual.Manual",
    "marketplace.payouts.providers.sepa.Sepa",
    "marketplace.payouts.providers.stripe_connect.StripeConnect",
    "marketplace.payouts.providers.paypal.PayPal",
    "marketplace.payouts.providers.fake.Fake",
)


class NoSuchProvider(NotFound):
    code = "no-such-provider"
    title = "This way of paying out is not offered"


def provider(name: str) -> Provider:
    """The provider of this name, which must be offered; raises `NoSuchProvider`."""
    found = _classes().get(name)
    if found is None or not found.configured():
        raise NoSuchProvider("There is no such provider of payouts here.", provider=name)
    return found()


def offered() -> list[Provider]:
    """The providers that can be used on this site now, by name."""
    return [known() for _, known in sorted(_classes().items()) if known.configured()]


def asked_by_call() -> dict[str, CallProvider]:
    """Those of the offered ones that are asked over the network, by name; several threads ask one of them at once."""
    return {one.name: one for one in offered() if isinstance(one, CallProvider)}


def given_a_file() -> dict[str, FileProvider]:
    """Those of the offered ones that are given a file, by name."""
    return {one.name: one for one in offered() if isinstance(one, FileProvider)}


@cache
def _classes() -> dict[str, type[Provider]]:
    return {known.name: known for known in map(import_string, KNOWN)}
