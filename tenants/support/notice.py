"""The e-mail that tells a hotel's managers that the platform's staff opened the hotel's admin."""

import zoneinfo
from collections.abc import Iterator
from uuid import UUID

from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from tenants.access.staff_mail import Link, build_message
from tenants.context import Tenant, current_hotel, platform_context
from tenants.host_routing import page_path, public_url
from tenants.models import SupportSession, User
from tenants.scopes import Role


def send_notice(session_id: UUID) -> int:
    """Send the e-mail about a support session to the current hotel's managers. Return the number of e-mails.

    If no manager has an e-mail address, the e-mail is sent to the address of the hotel.
    """
    hotel = current_hotel()
    with platform_context():
        session = SupportSession.objects.filter(id=session_id, hotel_id=str(hotel.id)).first()
        person = User.objects.filter(pk=session.user_id).first() if session else None
    if session is None:
        return 0
    name = person.username if person else str(session.user_id)
    messages = list(_messages(hotel, session, name))
    return get_connection().send_messages(messages) or 0 if messages else 0


def _messages(hotel: Tenant, session: SupportSession, name: str) -> Iterator[EmailMultiAlternatives]:
    managers = User.objects.filter(role=Role.MANAGER, is_active=True).exclude(email="").order_by("email")
    recipients = {user.email: user.language or hotel.language for user in managers}
    if not recipients and hotel.email:
        recipients[hotel.email] = hotel.language
    for address, language in recipients.items():
        with translation.override(language):
            yield _message(hotel, session, name, address)


def _message(hotel: Tenant, session: SupportSession, name: str, address: str) -> EmailMultiAlternatives:
    zone = zoneinfo.ZoneInfo(hotel.time_zone)
    end = formats.date_format(timezone.localtime(session.expires_at, zone), "DATETIME_FORMAT")
    trail = page_path(hotel, "admin:audit_event_changelist")
    return build_message(
        hotel=hotel,
        address=address,
        subject=_("Platform support opened the back office of {hotel}").format(hotel=hotel.name),
        paragraphs=[
            _("{person} of the platform's staff can act in the back office of {hotel} until {time}.").format(
                person=name, hotel=hotel.name, time=end
            ),
            _("Role: {role}").format(role=Role(session.role).label),
            _("Reason: {reason}").format(reason=session.reason),
            _(
                "The audit trail shows everything that the person does. If you did not expect this, contact the "
                "platform."
            ),
        ],
        link=Link(_("Show the audit trail"), f"{public_url(hotel)}{trail}?actor_id={session.user_id}"),
        reason=_("You receive this e-mail because you manage {hotel}.").format(hotel=hotel.name),
    )
