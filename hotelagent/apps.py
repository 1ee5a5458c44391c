from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class HotelagentConfig(AppConfig):
    name = "hotelagent"

    def ready(self) -> None:
        # Importing the Celery application configures the broker for every process that sends tasks.
        # The import cannot be in `hotelagent/__init__.py`, because wsgi.py loads that module before the settings.
        from hotelagent import celery, checks, deployment_checks  # noqa: F401, PLC0415 - the checks register themselves
        from hotelagent.core import telemetry  # noqa: PLC0415 - needs the settings

        telemetry.start()
        # `autodiscover_modules(name)` imports the module `name` of every app that has such a module.
        # The module `personal_data` of an app declares how masked backups replace the app's personal data.
        autodiscover_modules("personal_data")
        # The module `cards` of an app registers the app's cards and panels on the start page of the admin.
        autodiscover_modules("cards")
