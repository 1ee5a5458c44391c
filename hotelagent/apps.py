from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from hotelagent.admin import navigation
from hotelagent.admin.navigation import Group, Page
from hotelagent.usage import USAGE_DUE
from tenants.queue import due


class HotelagentConfig(AppConfig):
    name = "hotelagent"

    def ready(self) -> None:
        # Importing the Celery application configures the broker for every process that sends tasks.
        # The import cannot be in `hotelagent/__init__.py`, because wsgi.py loads that module before the settings.
        from hotelagent import celery, checks, deployment_checks  # noqa: F401, PLC0415 - the checks register themselves
        from hotelagent.core import error_reports  # noqa: PLC0415 - needs the settings
        from hotelagent.monitoring import process_metrics  # noqa: F401, PLC0415 - registers metrics
        from hotelagent.usage import metrics  # noqa: F401, PLC0415 - registers metrics

        error_reports.start()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            # The libraries for traces are imported here, because the imports are slow.
            from hotelagent.core.tracing import setup  # noqa: PLC0415

            setup.start(settings.OTEL_EXPORTER_OTLP_ENDPOINT, ratio=settings.OTEL_TRACES_RATIO)
        due.register(
            kind=USAGE_DUE,
            task="hotelagent.usage.tasks.count_usage",
            batch_size=20,
            recurring=True,
            combine_hotels=True,
        )
        navigation.register(
            Page(
                title=_("Usage"),
                url_name="hotel_usage_list",
                scope="usage:read",
                group=Group.HOTELS,
                icon="monitoring",
                order=20,
            )
        )
        # `autodiscover_modules(name)` imports the module `name` of every app that has such a module.
        # The module `personal_data` of an app declares how masked backups replace the app's personal data.
        autodiscover_modules("personal_data")
        # The module `cards` of an app registers the app's cards and panels on the start page of the admin.
        autodiscover_modules("cards")
