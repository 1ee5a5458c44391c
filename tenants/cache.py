"""Cache keys that carry their hotel, so that caches, throttles and flags don't cross."""

from tenants.context import current_tenant


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Django's `KEY_FUNCTION`. Raises TenantNotSet outside any context: a shared key would be a leak.

    A hotel is named by its id, which outlives a renamed slug and is never given to another hotel.
    """
    tenant = current_tenant()
    return f"{key_prefix}:{tenant.id or tenant.schema}:{version}:{key}"
