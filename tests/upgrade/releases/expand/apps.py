from django.apps import AppConfig


class NotesConfig(AppConfig):
    name = "tests.upgrade.releases.expand"
    label = "notes"
