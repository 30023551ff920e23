"""Which class of device a request comes from, by what the browser says of itself: a hint, not a guarantee."""

from django.http import HttpRequest
from rest_framework.request import Request

from workers.profiles.models import Device

_TABLETS = ("ipad", "tablet", "kindle", "silk/", "playbook")
_PHONES = ("mobi", "iphone", "ipod", "phone")


def device_class(*, user_agent: str, mobile_hint: str) -> str:
    """`phone`, `tablet` or `desktop`.

    `mobile_hint` is `Sec-CH-UA-Mobile`: `?1` for a phone; tablets send `?0` and are told by their user agent (Android
    without `Mobile`, as its makers say). An iPad that asks for desktop pages cannot be told from a Mac, and a program
    without a user agent counts as a desktop.
    """
    agent = user_agent[:1_000].lower()
    if any(mark in agent for mark in _TABLETS) or ("android" in agent and "mobi" not in agent and mobile_hint != "?1"):
        return Device.TABLET.value
    if mobile_hint == "?1" or any(mark in agent for mark in _PHONES):
        return Device.PHONE.value
    return Device.DESKTOP.value


def device_of(request: Request | HttpRequest) -> str:
    """The class of device that the request comes from."""
    return device_class(
        user_agent=request.headers.get("User-Agent", ""),
        mobile_hint=request.headers.get("Sec-CH-UA-Mobile", ""),
    )
