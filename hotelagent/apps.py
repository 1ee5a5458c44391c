from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class HotelagentConfig(AppConfig):
    name = "hotelagent"

    def ready(self) -> None:
        # Whoever sends a task must know our broker: without this, requests and commands would send to Celery's own
        # default. Not in `hotelagent/__init__.py`: that runs before wsgi.py has said which settings count.
        from hotelagent import celery, checks  # noqa: F401, PLC0415 - the checks register themselves
        from hotelagent.core import telemetry  # noqa: PLC0415 - the checks register themselves

        telemetry.start()
        autodiscover_modules("personal_data")  # what each app leaves out of a masked copy
        autodiscover_modules("cards")  # each app's figures for the first page of the admin
