from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants import due


class LocksConfig(AppConfig):
    name = "locks"
    verbose_name = _("Rooms and holds")

    def ready(self) -> None:
        due.register(kind="hold", task="locks.tasks.expire_holds")
