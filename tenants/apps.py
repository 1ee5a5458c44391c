from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from hotelagent.admin import navigation
from hotelagent.core import logs
from tenants.context import tenant_or_none
from tenants.queue import due


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = _("hotels")

    def ready(self) -> None:
        from tenants.checks import (  # noqa: F401, PLC0415 - registers the checks
            connections,
            hotels,
            lock_table,
            placement,
            roles,
        )
        from tenants.database.instances import install_checks  # noqa: PLC0415 - imports models
        from tenants.lifecycle.stored_backups import metrics  # noqa: F401, PLC0415 - registers the metrics
        from tenants.services import notices  # noqa: F401, PLC0415 - registers the receivers

        install_checks()
        navigation.register(
            navigation.Page(
                title=_("Login rules"),
                url_name="admin:login_rules",
                scope="staff:write",
                group=navigation.Group.ACCESS,
                icon="lock_person",
                order=20,
                tab_of="admin:tenants_user_changelist",
            )
        )
        logs.add_context(tenant_log_field)
        due.register(kind="invitation", task="tenants.tasks.send_invitations")
        due.register(kind="support_notice", task="tenants.tasks.send_support_notices")
        due.register(kind="support_expiry", task="tenants.tasks.record_support_expiries")
        due.register(
            kind="expired_records",
            task="tenants.tasks.delete_expired_records",
            daily=True,
            combine_hotels=True,
        )


def tenant_log_field() -> dict[str, str]:
    """Return the log field `hotel`: the slug of the current hotel, or "-" in the platform's context."""
    tenant = tenant_or_none()
    return {} if tenant is None else {"hotel": tenant.slug or "-"}
