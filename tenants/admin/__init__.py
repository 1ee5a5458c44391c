"""The admin of hotels and of who may enter: staff and keys on both sites, the rest on the platform's only."""

from tenants.admin import contacts, flags, hotels, keys, schedules, staff

__all__ = ["contacts", "flags", "hotels", "keys", "schedules", "staff"]
