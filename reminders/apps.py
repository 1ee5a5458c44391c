from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from reminders import due_kinds
from tenants.queue import due


class RemindersConfig(AppConfig):
    name = "reminders"
    verbose_name = _("Reservations and reminders")

    def ready(self) -> None:
        # These modules register checks, signal receivers and handlers when they are imported.
        from reminders import checks  # noqa: F401, PLC0415
        from reminders.planning import signals  # noqa: F401, PLC0415
        from reminders.sending import retries  # noqa: F401, PLC0415

        due.register(kind=due_kinds.REMINDER, task="reminders.tasks.send_due", combine_hotels=True)
        due.register(kind=due_kinds.REPLAN_ALL, task="reminders.tasks.replan_all")
        due.register(kind=due_kinds.REPLAN_RESERVATION, task="reminders.tasks.replan_reservations")
        # The import of a calendar takes at most 20 seconds, so five fit into the time limit of a task.
        due.register(
            kind=due_kinds.CALENDAR, task="reminders.tasks.sync_calendars", batch_size=5, recurring=True
        )
