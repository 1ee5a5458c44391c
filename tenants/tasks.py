"""The Celery tasks of the platform. Celery beat sends the tasks at the times that the platform admin shows."""

import datetime
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from hotelagent.rest.throttling import ClientThrottle, Rate
from tenants.access import account_mail, cleanup, invitations
from tenants.access.account_mail import Notice
from tenants.lifecycle import provisioning
from tenants.lifecycle.stored_backups import create, drill
from tenants.models import Hotel, HotelStatus, Redelivery, User
from tenants.queue import dispatch, due
from tenants.queue.celery_task import HotelTask
from tenants.services import account
from tenants.support import notice
from tenants.support.sessions import EXPIRY_DUE, NOTICE_DUE, record_expiry

#: The maximum rate of links to set a new password that an account receives.
LINK_RATE = Rate(requests=3, seconds=3600)


@shared_task(base=HotelTask, name="tenants.tasks.tick")
def tick() -> int:
    """Send the items of the due queue whose time has come to their Celery tasks. Return the number of sent items."""
    return dispatch.dispatch_due_items()


@shared_task(base=HotelTask, name=dispatch.COMBINED_TASK, bind=True)
def handle_due(self: HotelTask, kind_name: str, batches: list[tuple[str, list[str]]]) -> None:
    """Process a Celery message that contains items of the due queue for several hotels."""
    dispatch.handle_combined_message(kind_name=kind_name, batches=batches, redelivered=self.is_redelivered)


@shared_task(base=HotelTask, name="tenants.tasks.schedule_daily")
def schedule_daily() -> int:
    """Add the daily tasks of each active hotel to the due queue. Return the number of new due items."""
    return due.schedule_daily()


@shared_task(base=HotelTask, name="tenants.tasks.provision_hotel")
def provision_hotel(hotel_id: str) -> None:
    """Provision a registered hotel. Does nothing for a hotel that is already active."""
    provisioning.provision_hotel(UUID(hotel_id))


@shared_task(base=HotelTask, name="tenants.tasks.provision_pending")
def provision_pending() -> int:
    """Enqueue the provisioning task again for hotels that are not provisioned a minute after their creation.

    Return the number of enqueued tasks.
    """
    pending = Hotel.objects.filter(
        status=HotelStatus.PROVISIONING, created_at__lt=timezone.now() - datetime.timedelta(minutes=1)
    )
    return sum(provision_hotel.try_delay(str(id_)) for id_ in pending.values_list("id", flat=True))


@shared_task(base=HotelTask, name="tenants.tasks.delete_expired_records")
def delete_expired_records(ids: list[str]) -> None:
    """Delete expired sessions and stored responses of a hotel. Runs once a day. `ids` is a list with the hotel's id."""
    cleanup.delete_expired_records()
    due.complete(kind="expired_records", ids=[UUID(hotel) for hotel in ids])


@shared_task(base=HotelTask, name="tenants.tasks.send_invitations")
def send_invitations(ids: list[str]) -> None:
    """Send the invitation of the hotel's first manager by e-mail. `ids` is a list with the hotel's id."""
    invitations.send_invitation()
    due.complete(kind=invitations.INVITATION_DUE, ids=[UUID(hotel) for hotel in ids])


@shared_task(base=HotelTask, name="tenants.tasks.send_support_notices")
def send_support_notices(ids: list[str]) -> None:
    """Tell the hotel's managers by e-mail about support sessions. `ids` has the ids of the sessions."""
    for session_id in ids:
        notice.send_notice(UUID(session_id))
        due.complete(kind=NOTICE_DUE, ids=[UUID(session_id)])


@shared_task(base=HotelTask, name="tenants.tasks.record_support_expiries")
def record_support_expiries(ids: list[str]) -> None:
    """Record the end of support sessions whose time is over. `ids` has the ids of the sessions."""
    for session_id in ids:
        record_expiry(UUID(session_id))
        due.complete(kind=EXPIRY_DUE, ids=[UUID(session_id)])


@shared_task(base=HotelTask, name="tenants.tasks.delete_expired_platform_records")
def delete_expired_platform_records() -> int:
    """Delete expired sessions, stored responses and invitations of the platform. Return the number of deleted rows."""
    return cleanup.delete_expired_records() + invitations.delete_expired_invitations()


@shared_task(base=HotelTask, name="tenants.tasks.send_password_links")
def send_password_links(encrypted_name: str) -> int:
    """Send links to set a new password to the account with this user name or e-mail address.

    An account receives three links in an hour at most. Return the number of sent e-mails.
    """
    name = account_mail.decrypt_values(encrypted_name)["name"]
    return account.send_password_links(name, is_allowed=_may_receive_link)


def _may_receive_link(user: User) -> bool:
    result = ClientThrottle.check(policy="link-account", client=f"link-account {user.pk}", rate=LINK_RATE)
    return result is None or result.allowed


@shared_task(base=HotelTask, name="tenants.tasks.send_account_notice")
def send_account_notice(user_id: str, kind: str, at: str, encrypted_details: str) -> None:
    """Tell a member of staff by e-mail that credentials of the account have changed."""
    user = User.objects.filter(pk=UUID(user_id)).first()
    details = account_mail.decrypt_values(encrypted_details)
    notice = Notice(kind=kind, at=datetime.datetime.fromisoformat(at), **details)
    if user is not None and (notice.address or user.email):
        account_mail.build_notice(user, notice).send()


@shared_task(base=HotelTask, name="tenants.tasks.delete_old_redeliveries")
def delete_old_redeliveries() -> int:
    """Delete the delivery counts that were created more than a week ago. Return the number of deleted counts.

    Each count is the number of times that a Celery message was delivered (see the model `Redelivery`).
    """
    week_ago = timezone.now() - datetime.timedelta(days=7)
    return Redelivery.objects.filter(created_at__lt=week_ago).delete()[0]


@shared_task(base=HotelTask, name="tenants.tasks.make_due_backups")
def make_due_backups() -> int:
    """Make the scheduled backups that are due. Return the number of complete backups."""
    return create.make_due_backups()


@shared_task(base=HotelTask, name="tenants.tasks.run_due_drills")
def run_due_drills() -> int:
    """Restore the newest backup of each hotel whose drill is due, in a separate schema. Return how many passed."""
    return drill.run_due_drills()
