"""The life of a support session: a member of the platform's staff requests, opens and ends it.

Every step is recorded in the platform's and in the hotel's audit trail.
"""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.core import signing
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from tenants.access.support_user import SUPPORT_ROLES, SupportUser
from tenants.access.tokens import digest, new_token
from tenants.context import actor_context, current_actor, current_hotel, platform_context
from tenants.database.clock import database_now
from tenants.errors import HotelStateError, InvalidSupportRequest, SupportLinkNotFound
from tenants.models import Hotel, HotelStatus, SupportSession, User
from tenants.queue import due
from tenants.services.hotels import get_locked_hotel
from tenants.signals import (
    support_ended,
    support_expired,
    support_opened,
    support_refused,
    support_requested,
)
from tenants.support.backend import find_open_session

#: The kind of due item that tells the hotel's managers about a support session. The id of the item is the session's id.
NOTICE_DUE = "support_notice"
#: The kind of due item that records that the time of a session is over. The id of the item is the session's id.
EXPIRY_DUE = "support_expiry"
#: The durations of a support session in minutes, from which the person chooses one.
DURATIONS = (15, 30, 60)
#: The time for which the link that opens a support session can be used.
LINK_LIFETIME = timedelta(seconds=60)
MAX_REASON_LENGTH = 500


def request_session(
    *, hotel_id: UUID, person: User, reason: str, minutes: int, role: str
) -> tuple[SupportSession, str]:
    """Create a support session of a hotel for a member of the platform's staff. Return the session and its token.

    The token opens the hotel's admin once, within LINK_LIFETIME. Only a digest of the token is stored. The session ends
    this number of minutes after the request, and not after the link was opened.

    Raises HotelNotFound, InvalidSupportRequest, and HotelStateError if the hotel is not active. Raises
    InvalidSupportRequest too if the hotel requires two-factor authentication of its staff and the person has not set it
    up.
    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON_LENGTH or minutes not in DURATIONS or role not in SUPPORT_ROLES:
        raise InvalidSupportRequest
    secret = new_token()
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        if hotel.status != HotelStatus.ACTIVE:
            raise HotelStateError(
                _("{hotel} is {status}. Platform staff can open the admin of an active hotel only.").format(
                    hotel=hotel.name, status=hotel.get_status_display()
                ),
                hotel_status=hotel.status,
            )
        if hotel.require_two_factor and not person.has_second_factor:
            raise InvalidSupportRequest(
                _(
                    "{hotel} requires two-factor authentication. Set it up for your account first, on the page "
                    '"Your account".'
                ).format(hotel=hotel.name)
            )
        now = database_now()
        session = SupportSession.objects.create(
            hotel=hotel,
            user_id=person.pk,
            reason=reason,
            role=role,
            digest=digest(secret),
            open_until=now + LINK_LIFETIME,
            expires_at=now + timedelta(minutes=minutes),
        )
        user = SupportUser.of_session(session, hotel_name=hotel.name, person_name=person.username)
        with actor_context(_actor(user)):
            support_requested.send(Hotel, hotel=hotel, session=session)
    return session, _signer().sign(secret)


def open_session(token: str) -> SupportUser:
    """Use the token of a link at the current hotel, and return the user of the support session.

    The hotel's managers receive an e-mail. Raises SupportLinkNotFound if the link was used, has expired or is not
    valid.
    """
    hotel = current_hotel()
    try:
        token_digest = digest(_signer().unsign(token))
    except signing.BadSignature:
        raise _record_refused_link() from None
    with transaction.atomic():
        with platform_context():
            found = SupportSession.objects.select_related("hotel").filter(digest=token_digest)
            session = found.filter(hotel_id=cast("UUID", hotel.id)).first()
            # Of several requests with the token, one changes the row.
            is_opened = session is not None and SupportSession.objects.filter(
                pk=session.pk, digest=token_digest, open_until__gt=Now()
            ).update(digest=None, opened_at=Now())
        user = find_open_session(session.pk) if session is not None and is_opened else None
        if session is not None and user is not None:
            with platform_context(), actor_context(_actor(user)):
                support_opened.send(Hotel, hotel=session.hotel, session=session)
            due.schedule(kind=NOTICE_DUE, items=[(session.pk, database_now())])
            due.schedule(kind=EXPIRY_DUE, items=[(session.pk, session.expires_at)])
    if user is None:
        raise _record_refused_link()
    return user


def end_session(user: SupportUser) -> None:
    """End the support session of the user now. Nothing happens if the session has already ended."""
    with platform_context(), transaction.atomic():
        session = SupportSession.objects.select_related("hotel").get(id=user.id)
        if SupportSession.objects.filter(id=user.id, ended_at=None, expires_at__gt=Now()).update(
            ended_at=Now()
        ):
            with actor_context(_actor(user)):
                support_ended.send(Hotel, hotel=session.hotel, session=session)


def record_expiry(session_id: UUID) -> bool:
    """Record the end of a support session of the current hotel whose time is over. Return whether it was recorded.

    Nothing happens if the person has ended the session, or if its time is not over.
    """
    hotel = current_hotel()
    with platform_context(), transaction.atomic():
        found = SupportSession.objects.filter(id=session_id, hotel_id=cast("UUID", hotel.id), ended_at=None)
        if not found.filter(opened_at__isnull=False, expires_at__lte=Now()).update(ended_at=F("expires_at")):
            return False
        session = SupportSession.objects.select_related("hotel").get(id=session_id)
        # The person's account may have been deleted in the meantime. Its name is then replaced by its id.
        name = User.objects.filter(pk=session.user_id).values_list("username", flat=True).first()
        user = SupportUser.of_session(
            session, hotel_name=hotel.name, person_name=name or str(session.user_id)
        )
        with actor_context(user.actor()):
            support_expired.send(Hotel, hotel=session.hotel, session=session)
    return True


def _actor(user: SupportUser) -> Any:
    """Return the actor of the session, with the IP address and the other properties of the current request."""
    actor = current_actor()
    names = ("ip", "ip_is_peer", "user_agent", "request_id")
    return user.actor(**{name: getattr(actor, name) for name in names})


def _signer() -> signing.Signer:
    """Return the signer of tokens. A token that this deployment has not signed is refused without a query."""
    return signing.Signer(salt="tenants.support")


def _record_refused_link() -> SupportLinkNotFound:
    """Record in the hotel's audit trail that a link to a support session was refused, and return the error to raise."""
    support_refused.send(Hotel)
    return SupportLinkNotFound(
        _(
            "This link has expired or was already used. A link can be used once, within 60 seconds. Open the hotel's "
            "admin from the platform again."
        )
    )
