from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "marketplace.webhooks"
    label = "webhooks"

    def ready(self) -> None:
        from marketplace.webhooks.commands import noting  # noqa: F401  (registers what it forgets)
