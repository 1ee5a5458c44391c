"""The user of requests that a member of the platform's staff sends in a hotel."""

import datetime
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from tenants.context import Actor
from tenants.models import SupportSession
from tenants.scopes import Role, permission_scope, role_scopes

#: The roles that platform staff can choose for a support session. The first is the default.
SUPPORT_ROLES = (Role.AUDITOR, Role.MANAGER)
#: A support session never has these scopes, because accounts and API keys would remain after its end.
_FORBIDDEN_SCOPES = frozenset({"staff:write"})


def support_user_of(request: HttpRequest) -> "SupportUser | None":
    """Return the user of the request if the request belongs to a support session, or else None."""
    user: Any = request.user
    return user if isinstance(user, SupportUser) else None


@dataclass(frozen=True, slots=True)
class SupportUser:
    """A member of the platform's staff who acts in a hotel during a support session.

    The user is not an account of the hotel. Each request reads the session again, so the end of the session has an
    effect on the next request. `id` is the id of the session.
    """

    id: UUID
    hotel_name: str
    #: The id and the user name of the person's account of the platform.
    person_id: UUID
    person_name: str
    role: str
    reason: str
    expires_at: datetime.datetime

    is_support = True
    is_active = True
    is_staff = True
    is_superuser = False
    is_authenticated = True
    is_anonymous = False
    email = ""
    full_name = ""
    language = ""

    @classmethod
    def of_session(cls, session: SupportSession, *, hotel_name: str, person_name: str) -> "SupportUser":
        """Return the user of a support session."""
        return cls(
            id=session.id,
            hotel_name=hotel_name,
            person_id=session.user_id,
            person_name=person_name,
            role=session.role,
            reason=session.reason,
            expires_at=session.expires_at,
        )

    @property
    def pk(self) -> UUID:
        return self.id

    @property
    def username(self) -> str:
        return f"{self.person_name} (platform)"

    @property
    def scopes(self) -> frozenset[str]:
        return role_scopes(self.role) - _FORBIDDEN_SCOPES

    @property
    def role_label(self) -> str:
        return str(Role(self.role).label)

    def __str__(self) -> str:
        return self.username

    def get_username(self) -> str:
        return self.username

    def get_full_name(self) -> str:
        return self.username

    def has_usable_password(self) -> bool:
        return False

    def has_perm(self, perm: str, obj: object = None) -> bool:  # noqa: ARG002 - Django's signature
        return permission_scope(perm) in self.scopes

    def has_module_perms(self, app_label: str) -> bool:  # noqa: ARG002 - Django's signature
        return True

    def actor(self, **origin: Any) -> Actor:
        """Return the actor of the person's requests. The person is the initiator, whose id is in the platform's trail.

        `origin` has the IP address and other properties of the request.
        """
        person = Actor("user", str(self.person_id), self.username)
        return Actor("support", str(self.id), "support", initiator=person, **origin)
