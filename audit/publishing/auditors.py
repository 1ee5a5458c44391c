"""Functions that change the e-mail address to which the checkpoints of the current tenant are sent."""

from django.db import transaction

from audit.publishing.models import Auditor
from audit.sealing.events import AUDITOR_CHANGED
from audit.services import record


def change_auditor(*, email: str, language: str) -> None:
    """Change the auditor of the current tenant. An empty address means that no e-mail is sent.

    The values must be valid (`Auditor.full_clean`).
    """
    with transaction.atomic():
        auditor = Auditor.objects.lock()
        if (auditor.email, auditor.language) == (email, language):
            return
        before = auditor.email
        auditor.email, auditor.language = email, language
        auditor.save(update_fields=["email", "language"])
        record(AUDITOR_CHANGED, before=before, after=email, language=language)


def remove_auditor(email: str) -> None:
    """Remove the auditor of the current tenant if the auditor has this e-mail address."""
    auditor = Auditor.objects.read()
    if email and auditor.email.lower() == email.lower():
        change_auditor(email="", language=auditor.language)
