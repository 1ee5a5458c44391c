from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.database import privileges


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = _("Audit trail")

    def ready(self) -> None:
        # The trigger refuses everybody, the owner too; who serves requests doesn't even have the right.
        privileges.declare_table_privileges("audit.event", "SELECT, INSERT")

        from audit import checks, history, listeners  # noqa: F401, PLC0415 - they register themselves
