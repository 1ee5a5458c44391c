"""Changes of a tenant's settings for failures."""

from django.db import transaction

from audit.services import record
from dlq import events
from dlq.retention.models import FailureSettings


def change_settings(**values: object) -> None:
    """Change the settings of the current tenant. The values must be valid (`FailureSettings.full_clean`).

    The audit event contains the names of the changed settings, because a value can be an e-mail address.
    """
    with transaction.atomic():
        settings = FailureSettings.objects.lock()
        changed = sorted(name for name, value in values.items() if getattr(settings, name) != value)
        for name in changed:
            setattr(settings, name, values[name])
        if changed:
            settings.save(update_fields=changed)
            record(events.SETTINGS_CHANGED, changed=changed)
