from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from hotelagent.admin import navigation
from hotelagent.admin.navigation import Group, Page
from reminders import due_kinds
from tenants.queue import due


class RemindersConfig(AppConfig):
    name = "reminders"
    verbose_name = _("Reservations and reminders")

    def ready(self) -> None:
        # Importing these modules registers their system checks, signal receivers and retry functions.
        from dlq.kinds import task_payloads  # noqa: PLC0415
        from locks.services import bookings  # noqa: PLC0415
        from reminders import checks, erasure, listeners  # noqa: F401, PLC0415
        from reminders.front_desk.booked_stays import Reservations  # noqa: PLC0415
        from reminders.planning import signals  # noqa: F401, PLC0415
        from reminders.sending import retries  # noqa: F401, PLC0415

        bookings.register(Reservations())
        due.register(kind=due_kinds.REMINDER, task="reminders.tasks.send_due", combine_hotels=True)
        due.register(kind=due_kinds.REPLAN_ALL, task="reminders.tasks.replan_all")
        due.register(kind=due_kinds.REPLAN_RESERVATION, task="reminders.tasks.replan_reservations")
        # The import of a calendar takes up to 20 seconds. With at most 5 calendars, a task stays within its time limit.
        due.register(
            kind=due_kinds.CALENDAR, task="reminders.tasks.sync_calendars", batch_size=5, recurring=True
        )
        due.register(
            kind=due_kinds.FILE_IMPORT, task="reminders.tasks.run_file_import", batch_size=1, recurring=True
        )
        due.register(
            kind=due_kinds.MAIL_FIGURES,
            task="reminders.tasks.count_mails",
            recurring=True,
            combine_hotels=True,
        )
        due.register(kind=due_kinds.EXPIRED_FILES, task="reminders.tasks.delete_expired_files", daily=True)
        task_payloads.register_due_tasks()
        task_payloads.register_id_task("reminders.tasks.sync_calendar")
        navigation.register(
            Page(
                title=_("Arrivals list"),
                url_name="admin:reminders_arrivals_list",
                scope="reservations:read",
                group=Group.FRONT_DESK,
                icon="print",
                order=30,
                item_title=_("Lists to print"),
            )
        )
        navigation.register(
            Page(
                title=_("Housekeeping list"),
                url_name="admin:reminders_housekeeping_list",
                scope="locks:read",
                group=Group.FRONT_DESK,
                icon="print",
                order=31,
                tab_of="admin:reminders_arrivals_list",
            )
        )
        navigation.register(
            Page(
                title=_("New reservation"),
                url_name="admin:reminders_reservation_add",
                scope="reservations:write",
                group=Group.FRONT_DESK,
                icon="add_circle",
                order=15,
            )
        )
        navigation.register(
            Page(
                title=_("Reply address"),
                url_name="admin:reminders_sender",
                scope="reminders:manage",
                group=Group.EMAILS,
                icon="outgoing_mail",
                order=40,
                tab_of="admin:reminders_rule_changelist",
            )
        )
        navigation.register(
            Page(
                title=_("Import reservations"),
                url_name="admin:reminders_reservationimport_changelist",
                scope="reservations:write",
                group=Group.SETUP,
                icon="upload_file",
                order=10,
            )
        )
        navigation.register(
            Page(
                title=_("Import rooms"),
                url_name="admin:reminders_roomimport_changelist",
                scope="rooms:write",
                group=Group.SETUP,
                icon="upload_file",
                tab_of="admin:locks_room_changelist",
            )
        )
