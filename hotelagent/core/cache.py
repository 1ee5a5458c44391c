"""A Redis cache that behaves like an empty cache while Redis is unavailable, full or read-only."""

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends import redis
from redis import RedisError

logger = logging.getLogger(__name__)


class RedisCache(redis.RedisCache):
    """A subclass of Django's Redis cache that logs Redis errors instead of raising them.

    If a value cannot be deleted because of an error, the cache returns the old value until it expires.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client


class _Client(redis.RedisCacheClient):
    def get(self, key: Any, default: Any) -> Any:
        return _ignore_errors(super().get, key, default, default=default)

    def get_many(self, keys: Any) -> Any:
        return _ignore_errors(super().get_many, keys, default={})

    def has_key(self, key: Any) -> bool:
        return bool(_ignore_errors(super().has_key, key, default=False))

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return bool(_ignore_errors(super().add, key, value, timeout, default=False))

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        _ignore_errors(super().set, key, value, timeout)

    def set_many(self, data: Any, timeout: Any) -> None:
        _ignore_errors(super().set_many, data, timeout)

    def touch(self, key: Any, timeout: Any) -> bool:
        return bool(_ignore_errors(super().touch, key, timeout, default=False))

    def delete(self, key: Any) -> bool:
        return bool(_ignore_errors(super().delete, key, default=False))

    def delete_many(self, keys: Any) -> None:
        _ignore_errors(super().delete_many, keys)


def _ignore_errors(method: Callable[..., Any], *args: Any, default: Any = None) -> Any:
    """Call the method and return what it returns. If Redis raises an error, log the error and return `default`."""
    try:
        return method(*args)
    except RedisError as error:
        logger.warning("the cache is unavailable: %s", type(error).__name__)
        return default
