from django.apps import AppConfig


class ProfilesConfig(AppConfig):
    name = "workers.profiles"
    label = "profiles"
