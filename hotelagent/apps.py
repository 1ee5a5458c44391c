from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import autodiscover_modules


class HotelagentConfig(AppConfig):
    name = "hotelagent"

    def ready(self) -> None:
        # Importing the Celery application configures the broker for every process that sends tasks.
        # The import cannot be in `hotelagent/__init__.py`, because wsgi.py loads that module before the settings.
        from hotelagent import celery, checks, deployment_checks  # noqa: F401, PLC0415 - the checks register themselves
        from hotelagent.core import telemetry  # noqa: PLC0415 - needs the settings

        telemetry.start()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            # The libraries for traces are imported here, because the imports are slow.
            from hotelagent.core.tracing import setup  # noqa: PLC0415

            setup.start(settings.OTEL_EXPORTER_OTLP_ENDPOINT, ratio=settings.OTEL_TRACES_RATIO)
        # `autodiscover_modules(name)` imports the module `name` of every app that has such a module.
        # The module `personal_data` of an app declares how masked backups replace the app's personal data.
        autodiscover_modules("personal_data")
        # The module `cards` of an app registers the app's cards and panels on the start page of the admin.
        autodiscover_modules("cards")
