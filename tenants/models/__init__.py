"""The models of hotels, staff, API clients and the due queue.

`tenants.database.placement` says which tables are in the platform's schema and which are in each hotel's schema.
"""

from tenants.models.access import ApiKey, IdempotencyKey, Session, User
from tenants.models.backups import BackupState
from tenants.models.hotels import ContactIdentifier, ContactKind, Domain, Hotel, HotelStatus, Language
from tenants.models.invitations import ManagerInvitation
from tenants.models.platform import (
    DueItem,
    HotelFigures,
    Lease,
    Redelivery,
    RoutingVersion,
    SchemaTemplate,
    SpareRole,
)
from tenants.models.support import SupportSession
from tenants.models.usage import HotelUsage

__all__ = [
    "ApiKey",
    "BackupState",
    "ContactIdentifier",
    "ContactKind",
    "Domain",
    "DueItem",
    "Hotel",
    "HotelFigures",
    "HotelStatus",
    "HotelUsage",
    "IdempotencyKey",
    "Language",
    "Lease",
    "ManagerInvitation",
    "Redelivery",
    "RoutingVersion",
    "SchemaTemplate",
    "Session",
    "SpareRole",
    "SupportSession",
    "User",
]
