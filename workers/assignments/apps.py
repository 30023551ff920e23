from django.apps import AppConfig


class AssignmentsConfig(AppConfig):
    name = "workers.assignments"
    label = "assignments"

    def ready(self) -> None:
        from workers.assignments import handlers  # noqa: F401  (registers them)
        from workers.assignments.commands import leases  # noqa: F401  (registers what it forgets)
