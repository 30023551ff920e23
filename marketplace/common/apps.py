from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "marketplace.common"
    label = "common"

    def ready(self) -> None:
        # Every process of the site sends its hints to the configured broker, not only Celery's own.
        from marketplace import celery  # noqa: F401
        from marketplace.common import boot  # noqa: F401  (its check is known by then)
