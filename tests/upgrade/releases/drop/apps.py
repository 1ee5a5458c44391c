from django.apps import AppConfig


class NotesConfig(AppConfig):
    name = "tests.upgrade.releases.drop"
    label = "notes"
