from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "workers.live"
    label = "live"

    def ready(self) -> None:
        from workers.live import routes  # noqa: F401  (the relay asks them whom an event concerns)
