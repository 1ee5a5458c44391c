from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.queue import due


class RemindersConfig(AppConfig):
    name = "reminders"
    verbose_name = _("Reservations and reminders")

    def ready(self) -> None:
        # Each registers itself, and needs the apps loaded; the service says what "send again" means to the
        # dlq.
        from reminders import checks  # noqa: F401, PLC0415
        from reminders.planning import signals  # noqa: F401, PLC0415
        from reminders.reservations import board  # noqa: F401, PLC0415
        from reminders.reservations.calendars import tasks as calendar_tasks  # noqa: F401, PLC0415
        from reminders.services import reminders  # noqa: F401, PLC0415

        due.register(kind="reminder", task="reminders.tasks.send_due", combine_hotels=True)
        due.register(kind="replan", task="reminders.tasks.replan_all")
        # Twenty seconds each, at the worst: a batch stays below the time that a task may take.
        due.register(
            kind="calendar",
            task="reminders.reservations.calendars.tasks.poll_calendars",
            batch_size=5,
            recurring=True,
        )
