"""The admin pages of the app `tenants`.

The admin site of a hotel contains staff and API keys. The admin site of the platform contains all models.
"""

from tenants.admin import api_keys, contacts, flags, hotels, invitations, schedules, search, staff, support

__all__ = [
    "api_keys",
    "contacts",
    "flags",
    "hotels",
    "invitations",
    "schedules",
    "search",
    "staff",
    "support",
]
