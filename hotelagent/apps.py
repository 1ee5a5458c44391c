from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class HotelagentConfig(AppConfig):
    name = "hotelagent"

    def ready(self) -> None:
        # Every process that sends tasks must import our Celery application, or Celery would use its default broker. The
        # import is not in `hotelagent/__init__.py`, because that module is loaded before wsgi.py sets the settings.
        from hotelagent import celery, checks, deployment_checks  # noqa: F401, PLC0415 - the checks register themselves
        from hotelagent.core import telemetry  # noqa: PLC0415 - needs the settings

        telemetry.start()
        # Modules that an app may have. They are imported at the start and register what the app contributes.
        autodiscover_modules("personal_data")  # columns that a masked backup leaves out
        autodiscover_modules("cards")  # cards and panels of the admin's start page
