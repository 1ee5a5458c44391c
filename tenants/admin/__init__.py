"""The admin of `tenants`: staff and API keys on both sites, everything else on the platform's site only."""

from tenants.admin import api_keys, contacts, flags, hotels, schedules, staff

__all__ = ["api_keys", "contacts", "flags", "hotels", "schedules", "staff"]
