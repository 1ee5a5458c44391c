from django.apps import AppConfig


class NotesConfig(AppConfig):
    name = "tests.upgrade.releases.contract"
    label = "notes"
