"""The authentication backend of support sessions. It reads the session from the database with each request."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from tenants.access.support_user import SupportUser
from tenants.context import current_tenant, platform_context
from tenants.models import SupportSession, User
from tenants.scopes import Role

#: The path of the class SupportBackend. The login session of a request contains the path of its backend.
BACKEND = "tenants.support.backend.SupportBackend"

#: The name of the person in the platform's accounts, or null if the account was deactivated or has another role.
_PERSON = Subquery(
    User.objects.filter(pk=OuterRef("user_id"), is_active=True, role=Role.PLATFORM).values("username")[:1]
)
_IS_OPEN = Q(opened_at__isnull=False, ended_at=None, expires_at__gt=Now(), person__isnull=False)


class SupportBackend(BaseBackend):
    """Django's authentication backend for support sessions. The backend cannot check passwords."""

    def get_user(self, user_id: Any) -> Any:
        """Return the user of the support session with this id, or None if the session is not open at this hotel."""
        return find_open_session(user_id)


def find_open_session(session_id: UUID) -> SupportUser | None:
    """Return the user of a support session of the current hotel, or None if the session has ended or was not opened."""
    hotel = current_tenant()
    if hotel.id is None:
        return None
    with platform_context():
        session = open_sessions().filter(id=session_id, hotel_id=hotel.id).first()
    if session is None:
        return None
    return SupportUser.of_session(session, hotel_name=hotel.name, person_name=session.person)


def open_sessions() -> QuerySet[Any]:
    """Return the support sessions of all hotels that are open now. Needs the platform's context."""
    return SupportSession.objects.annotate(person=_PERSON).filter(_IS_OPEN)
