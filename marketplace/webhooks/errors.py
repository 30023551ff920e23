"""The ways webhooks refuse."""

from marketplace.common.errors import Conflict, Unprocessable


class UrlRefused(Unprocessable):
    code = "webhook-url-refused"
    title = "This address cannot be sent to"


class TooManyWebhooks(Conflict):
    code = "too-many-webhooks"
    title = "The organisation has as many webhooks as it may have"


class WebhookRemoved(Conflict):
    code = "webhook-removed"
    title = "This webhook was removed"


class StillWaiting(Conflict):
    code = "delivery-waiting"
    title = "This is still on its way"
