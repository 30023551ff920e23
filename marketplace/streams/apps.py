from django.apps import AppConfig


class StreamsConfig(AppConfig):
    name = "marketplace.streams"
    label = "streams"

    def ready(self) -> None:
        from marketplace.streams import tasks  # noqa: F401  (what is kept for a time only is registered there)
