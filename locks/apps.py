from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from hotelagent.admin import navigation
from hotelagent.admin.navigation import Page
from hotelagent.rest import guide
from locks.webhooks.described import described
from tenants.queue import due


class LocksConfig(AppConfig):
    name = "locks"
    verbose_name = _("Rooms and holds")

    def ready(self) -> None:
        due.register(kind="hold", task="locks.tasks.expire_holds", combine_hotels=True)
        due.register(kind="expiring", task="locks.tasks.warn_expiring", combine_hotels=True)
        due.register(kind="waiting", task="locks.tasks.look_after_waiting", combine_hotels=True)
        # Ten seconds each, at the worst: a batch stays below the time that a task may take.
        due.register(kind="webhook", task="locks.tasks.send_notices", batch_size=10)
        due.register(kind="ended", task="locks.tasks.forget_ended", daily=True)
        guide.register_webhooks(described)
        navigation.register(
            Page(
                title=_("Room board"),
                url_name="admin:locks_board",
                scope="locks:read",
                app_label="locks",
                icon="calendar_view_week",
            )
        )
