"""The receivers that send an e-mail to a member of staff when the credentials of the account change.

All interfaces send the signals, so each change causes a notice. The e-mails are sent by a Celery task.
"""

from typing import Any
from uuid import UUID

from django.dispatch import receiver
from django.utils import timezone

from tenants.access.account_mail import encrypt_values
from tenants.context import current_actor
from tenants.models import ApiKey, User
from tenants.queue.celery_task import send_on_commit
from tenants.signals import api_key_created, second_factor_changed, staff_email_changed, staff_password_set

TASK = "tenants.tasks.send_account_notice"


@receiver(staff_password_set)
def _password_set(*, user: User, **_: Any) -> None:
    _notify(user, "password")


@receiver(second_factor_changed)
def _second_factor_changed(*, user: User, change: str, **_: Any) -> None:
    _notify(user, change)


@receiver(staff_email_changed)
def _email_changed(*, user: User, before: str, **_: Any) -> None:
    _notify(user, "email")
    if before:
        _notify(user, "email", address=before)


@receiver(api_key_created)
def _api_key_created(*, key: ApiKey, **_: Any) -> None:
    actor = current_actor()
    user = User.objects.filter(pk=UUID(actor.id)).first() if actor.kind == "user" else None
    if user is not None:
        _notify(user, "api_key", name=key.name)


def _notify(user: User, kind: str, **details: str) -> None:
    if not (user.email or details.get("address")):
        return
    actor = current_actor()
    # The notice has the client's address and browser only if the user made the change, because they are personal data.
    if actor.kind == "user" and actor.id == str(user.pk):
        details |= {"ip": actor.ip or "", "browser": actor.user_agent[:200]}
    send_on_commit(TASK, str(user.pk), kind, timezone.now().isoformat(), encrypt_values(details))
