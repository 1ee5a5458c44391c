"""The invitation of a hotel's first manager: storing, sending by e-mail, and acceptance.

The platform's staff can invite a manager only as long as the hotel has no active manager. Otherwise the platform's
staff could give themselves a permanent account of a hotel.
"""

import datetime
import hmac
import zoneinfo
from typing import cast
from uuid import UUID

import structlog
from django.core.mail import get_connection
from django.db import transaction
from django.db.models import QuerySet
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from tenants.access.accounts import insert_account
from tenants.access.passwords import require_valid_password
from tenants.access.staff_mail import Link, build_message
from tenants.access.tokens import digest, new_token
from tenants.context import (
    Tenant,
    actor_context,
    changed_actor,
    current_hotel,
    hotel_context,
    platform_context,
)
from tenants.database.clock import database_now
from tenants.errors import InvitationNotFound, ManagerConflict
from tenants.host_routing import page_path, subdomain_url
from tenants.models import Hotel, HotelStatus, ManagerInvitation, User
from tenants.queue import due
from tenants.scopes import Role
from tenants.signals import manager_invitation_accepted, manager_invitation_sent, staff_added
from tenants.unaudited import unaudited

log = structlog.get_logger(__name__)

#: The kind of due item that sends the invitation of a hotel. The id of the item is the hotel's id.
INVITATION_DUE = "invitation"
#: The time for which the link of an invitation is valid after its e-mail was sent.
LIFETIME = datetime.timedelta(days=7)
#: The row of an unused invitation is deleted this long after the invitation has expired, because the row contains an
#: e-mail address.
KEPT_AFTER_EXPIRY = datetime.timedelta(days=30)


@unaudited("The caller sends the signal manager_invited.")
def store_invitation(hotel: Hotel, *, email: str) -> ManagerInvitation:
    """Store the invitation of a hotel, and replace an older invitation. Links in older e-mails are no longer valid.

    The e-mail is sent within seconds, or when the hotel becomes active. Raises ManagerConflict.
    """
    if is_active(hotel) and has_manager(hotel.tenant):
        raise ManagerConflict(
            _(
                "The hotel already has a manager, who can add accounts. If no manager can log in, an operator creates "
                "an account with manage.py create_staff."
            )
        )
    invitation, _is_new = ManagerInvitation.objects.update_or_create(
        hotel=hotel,
        defaults={
            "email": email,
            "digest": None,
            "created_at": timezone.now(),
            "sent_at": None,
            "expires_at": None,
            "accepted_at": None,
            "error": "",
        },
    )
    if is_active(hotel):
        schedule_sending(hotel)
    return invitation


def is_active(hotel: Hotel) -> bool:
    return hotel.status == HotelStatus.ACTIVE


def has_manager(hotel: Tenant) -> bool:
    """Return whether the hotel has an active account with the role manager."""
    with hotel_context(hotel):
        return User.objects.filter(role=Role.MANAGER, is_active=True).exists()


def schedule_sending(hotel: Hotel) -> None:
    """Schedule the e-mail of the hotel's invitation, in the caller's transaction. The hotel must be active."""
    with hotel_context(hotel):
        due.schedule(kind=INVITATION_DUE, items=[(hotel.id, timezone.now())])


def send_invitation() -> bool:
    """Send the e-mail with the current hotel's invitation. Return False if there is no invitation to send.

    Each e-mail has a new token, which is committed before the e-mail is sent. So the link of an e-mail is valid
    although the process is killed before it stores the result. The function must not be called in a transaction.
    Raises the error of the mail server, after the error was stored for the platform's staff.
    """
    hotel = current_hotel()
    if has_manager(hotel):
        return False
    token = new_token()
    with platform_context(), transaction.atomic():
        invitation = _pending().filter(hotel_id=_id_of(hotel)).select_for_update().first()
        if invitation is None:
            return False
        invitation.digest, invitation.expires_at = digest(token), database_now() + LIFETIME
        invitation.save(update_fields=["digest", "expires_at"])
    try:
        _send(hotel, invitation, token)
    except Exception as error:
        log.warning("invitation.not_sent", error=type(error).__name__)
        _store_result(invitation, error=type(error).__name__)
        raise
    _store_result(invitation, error="")
    return True


def find_invitation(token: str) -> ManagerInvitation:
    """Return the current hotel's invitation with this token. Raises InvitationNotFound if it cannot be accepted."""
    hotel = current_hotel()
    with platform_context():
        invitation = _pending().filter(hotel_id=_id_of(hotel)).first()
    if invitation is None or not _is_valid(invitation, token) or has_manager(hotel):
        raise _not_found()
    return invitation


def accept_invitation(*, token: str, username: str, password: str, full_name: str = "") -> User:
    """Create the account of the current hotel's first manager, and make the token invalid. Return the account.

    Raises InvitationNotFound, InvalidPassword, UsernameConflict.
    """
    hotel = current_hotel()
    with transaction.atomic():
        with platform_context():
            # The lock makes a second request with the same token wait. The second request then finds no invitation.
            list(ManagerInvitation.objects.select_for_update().filter(hotel_id=_id_of(hotel)))
        invitation = find_invitation(token)
        user = _create_manager(
            username=username, password=password, full_name=full_name, email=invitation.email
        )
        with platform_context():
            invitation.accepted_at, invitation.digest, invitation.email = database_now(), None, ""
            invitation.save(update_fields=["accepted_at", "digest", "email"])
        # The invited person is not logged in yet, so the new account is set as the actor of the audit events.
        with actor_context(changed_actor(kind="user", id=str(user.pk), label=user.username)):
            staff_added.send(User, user=user)
            manager_invitation_accepted.send(User, user=user)
    return user


@unaudited("An invitation that was never used is no business data. Its sending is recorded.")
def delete_expired_invitations() -> int:
    """Delete invitations that expired long ago and were not accepted. Return the number of deleted invitations."""
    return _pending().filter(expires_at__lt=database_now() - KEPT_AFTER_EXPIRY).delete()[0]


def _id_of(hotel: Tenant) -> UUID:
    return cast("UUID", hotel.id)


def _pending() -> QuerySet[ManagerInvitation]:
    return ManagerInvitation.objects.filter(accepted_at=None)


def _create_manager(*, username: str, password: str, full_name: str, email: str) -> User:
    require_valid_password(password, User(username=username, full_name=full_name, email=email))
    return insert_account(
        username=username, password=password, role=Role.MANAGER, full_name=full_name, email=email
    )


def _send(hotel: Tenant, invitation: ManagerInvitation, token: str) -> None:
    with translation.override(hotel.language):
        expires_at = timezone.localtime(invitation.expires_at, zoneinfo.ZoneInfo(hotel.time_zone))
        message = build_message(
            hotel=hotel,
            address=invitation.email,
            subject=_("Your invitation to {hotel}").format(hotel=hotel.name),
            paragraphs=[
                _("You are invited to manage {hotel}.").format(hotel=hotel.name),
                _(
                    "Open this link to choose a user name and a password. The link can be used once and is valid until "
                    "{time}."
                ).format(time=formats.date_format(expires_at, "DATETIME_FORMAT")),
            ],
            link=Link(_("Create your account"), _link(hotel, token)),
            reason=_(
                "You receive this e-mail because the platform's staff entered your address for the first manager of "
                "{hotel}. If you did not expect it, you can ignore it."
            ).format(hotel=hotel.name),
        )
    message.connection = get_connection()
    message.send()


def _link(hotel: Tenant, token: str) -> str:
    # Log lines contain paths, but no query strings, so the token is in the query string.
    return f"{subdomain_url(hotel)}{page_path(hotel, 'invitation')}?token={token}"


def _store_result(invitation: ManagerInvitation, *, error: str) -> None:
    """Store whether the e-mail was sent, unless a new invitation has replaced this one."""
    with platform_context(), transaction.atomic():
        same = _pending().filter(hotel_id=invitation.hotel_id, digest=invitation.digest)
        if error:
            same.update(error=error[:100])
        elif same.update(error="", sent_at=database_now()):
            hotel = Hotel.objects.get(id=invitation.hotel_id)
            manager_invitation_sent.send(Hotel, hotel=hotel, detail={"expires_at": invitation.expires_at})


def _is_valid(invitation: ManagerInvitation, token: str) -> bool:
    if invitation.digest is None or invitation.expires_at is None:
        return False
    with platform_context():
        is_expired = invitation.expires_at <= database_now()
    return not is_expired and hmac.compare_digest(bytes(invitation.digest), digest(token))


def _not_found() -> InvitationNotFound:
    return InvitationNotFound(
        _(
            "This link has expired, was already used, or was replaced by the link in a newer e-mail. Ask the "
            "platform's staff to send the invitation again."
        )
    )
