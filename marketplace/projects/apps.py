from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "marketplace.projects"
    label = "projects"
