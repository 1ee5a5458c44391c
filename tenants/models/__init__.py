"""What is stored about hotels, their staff and their clients. Where each table lives: `tenants.database.placement`."""

from tenants.models.access import ApiKey, IdempotencyKey, User
from tenants.models.hotels import ContactIdentifier, ContactKind, Domain, Hotel, HotelStatus, Language
from tenants.models.platform import DueItem, Lease, Redelivery, RoutingVersion, Template

__all__ = [
    "ApiKey",
    "ContactIdentifier",
    "ContactKind",
    "Domain",
    "DueItem",
    "Hotel",
    "HotelStatus",
    "IdempotencyKey",
    "Language",
    "Lease",
    "Redelivery",
    "RoutingVersion",
    "Template",
    "User",
]
