from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _

from tenants.database import privileges
from tenants.queue import due
from tenants.tracked_rows import tracked_tables


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = _("Audit trail")

    def ready(self) -> None:
        # Database roles that serve requests may not change or delete events, except to erase personal values.
        # Triggers also prevent the owner of the table from changing or deleting events.
        privileges.declare_table_privileges("audit.event", "SELECT, INSERT", update=["personal"])
        privileges.declare_table_privileges("audit.searchterm", "SELECT, INSERT")

        from audit import checks, listeners  # noqa: F401, PLC0415 - these register themselves
        from audit import events as event_types  # noqa: PLC0415
        from audit.accounts import events as account_events  # noqa: F401, PLC0415 - as above
        from audit.hotels import listeners as hotel_listeners  # noqa: F401, PLC0415 - registers itself
        from audit.retention import metrics as retention_metrics  # noqa: F401, PLC0415
        from audit.row_changes import events  # noqa: PLC0415
        from audit.sealing import metrics  # noqa: F401, PLC0415
        from audit.verification import scheduled  # noqa: PLC0415

        for model in apps.get_models():
            kind = str(model._meta.model_name)
            event_types.READ_KINDS.setdefault(kind, model._meta.verbose_name_plural)
            event_types.FIELD_LABELS.update(
                {f"{kind}.{field.name}": field.verbose_name for field in model._meta.fields}
            )
        tracked = {table.name for table in tracked_tables()}
        events.TABLE_LABELS.update(
            {
                model._meta.db_table: model._meta.verbose_name_plural
                for model in apps.get_models()
                if model._meta.db_table in tracked
            }
        )
        due.register(kind=scheduled.VERIFICATION_DUE, task="audit.tasks.verify", daily=True)
