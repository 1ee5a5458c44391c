from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from dlq import policy
from tenants.queue import due


class DlqConfig(AppConfig):
    name = "dlq"
    verbose_name = _("Failures")

    def ready(self) -> None:
        from dlq import listeners  # noqa: F401, PLC0415 - registers itself; imports models
        from dlq.alerts import metrics  # noqa: F401, PLC0415
        from dlq.capture import celery_messages  # noqa: F401, PLC0415
        from dlq.kinds import checks, task_payloads  # noqa: F401, PLC0415

        due.register(kind=policy.FAILURE_DUE, task="dlq.tasks.retry_due")
        due.register(kind=policy.REDRIVE_DUE, task="dlq.tasks.continue_redrives")
        due.register(kind=policy.CLEAN_UP_DUE, task="dlq.tasks.clean_up", daily=True)
        due.register(kind=policy.RELEASE_DUE, task="dlq.tasks.release", recurring=True)
        due.register(kind=policy.WATCH_DUE, task="dlq.tasks.watch", recurring=True, combine_hotels=True)
        # `tenants` and `locks` cannot register the kinds of failures of their tasks, because they do not import `dlq`.
        task_payloads.register_due_tasks()
        task_payloads.register_id_task("tenants.tasks.provision_hotel")
        task_payloads.register_id_task("locks.tasks.make_final_webhook_attempt")
