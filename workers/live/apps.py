from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "workers.live"
    label = "live"

    def ready(self) -> None:
        from workers.live import handlers  # noqa: F401  (registers the handlers of the outbox)
