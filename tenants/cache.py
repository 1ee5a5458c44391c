"""Cache keys that carry their hotel, so that caches, throttles and flags don't cross."""

from tenants.context import current_scope


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Django's `KEY_FUNCTION`. Raises NoScope outside any context: a shared key would be a leak.

    A hotel is named by its id, which outlives a renamed slug and is never given to another hotel.
    """
    scope = current_scope()
    return f"{key_prefix}:{scope.id or scope.schema}:{version}:{key}"
