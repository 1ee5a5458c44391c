from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from hotelagent.admin import navigation
from hotelagent.admin.navigation import Group, Page
from hotelagent.rest.documentation import guide
from locks.webhooks.openapi import SECURITY_SCHEMES, webhook_path_items
from tenants.queue import due


class LocksConfig(AppConfig):
    name = "locks"
    verbose_name = _("Rooms and holds")

    def ready(self) -> None:
        # Importing this module registers the signal receiver.
        from locks.allocations import listeners  # noqa: F401, PLC0415

        due.register(kind="hold", task="locks.tasks.expire_holds", combine_hotels=True)
        due.register(kind="expiring", task="locks.tasks.publish_expiring_holds", combine_hotels=True)
        due.register(kind="waiting", task="locks.tasks.process_waiting_list", combine_hotels=True)
        # A delivery takes at most ten seconds, so a batch of ten finishes within the time limit of a task.
        due.register(kind="webhook", task="locks.tasks.send_webhook_deliveries", batch_size=10)
        due.register(kind="ended", task="locks.tasks.delete_ended_records", daily=True)
        guide.register_webhooks(webhook_path_items, security_schemes=SECURITY_SCHEMES)
        navigation.register(
            Page(
                title=_("Room board"),
                url_name="admin:locks_board",
                scope="locks:read",
                group=Group.FRONT_DESK,
                icon="calendar_view_week",
                order=10,
            )
        )
        navigation.register(
            Page(
                title=_("Occupancy"),
                url_name="admin:locks_month",
                scope="locks:read",
                group=Group.FRONT_DESK,
                icon="calendar_month",
                order=11,
                tab_of="admin:locks_board",
            )
        )
