from django.apps import AppConfig


class NotesConfig(AppConfig):
    name = "tests.upgrade.releases.broken"
    label = "notes"
