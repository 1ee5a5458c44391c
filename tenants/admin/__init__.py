"""The admin of hotels and of who may enter: staff and keys on both sites, the rest on the platform's only."""

from tenants.admin import flags, hotels, keys, schedules, staff

__all__ = ["flags", "hotels", "keys", "schedules", "staff"]
