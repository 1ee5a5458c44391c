from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.queue import due


class DlqConfig(AppConfig):
    name = "dlq"
    verbose_name = _("Failures")

    def ready(self) -> None:
        from dlq import plan, task_signals  # noqa: F401, PLC0415 - models must be loaded first

        due.register(kind=plan.KIND, task="dlq.tasks.retry_due")
