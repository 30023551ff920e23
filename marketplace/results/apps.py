from django.apps import AppConfig


class ResultsConfig(AppConfig):
    name = "marketplace.results"
    label = "results"

    def ready(self) -> None:
        from marketplace.results import handlers  # noqa: F401  (registers them)
