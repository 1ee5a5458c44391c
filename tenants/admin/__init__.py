"""The Django admin of `tenants`. Hotel sites show staff and API keys. The platform's site shows all models."""

from tenants.admin import api_keys, contacts, flags, hotels, schedules, staff

__all__ = ["api_keys", "contacts", "flags", "hotels", "schedules", "staff"]
