from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "marketplace.projects"
    label = "projects"

    def ready(self) -> None:
        # Load the answer types once, before processes fork, so that the first answer is not the slow one.
        from marketplace.projects.answer_types.registry import answer_types

        answer_types()
