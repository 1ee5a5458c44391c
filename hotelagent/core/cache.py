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
        return _ignore_errors(super().get, key, default, result=default)

    def get_many(self, keys: Any) -> Any:
        return _ignore_errors(super().get_many, keys, result={})

    def has_key(self, key: Any) -> bool:
        return bool(_ignore_errors(super().has_key, key, result=False))

    def add(self, key: Any, value: Any, timeout: Any) -> bool:
        return bool(_ignore_errors(super().add, key, value, timeout, result=False))

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        _ignore_errors(super().set, key, value, timeout)

    def set_many(self, data: Any, timeout: Any) -> None:
        _ignore_errors(super().set_many, data, timeout)

    def touch(self, key: Any, timeout: Any) -> bool:
        return bool(_ignore_errors(super().touch, key, timeout, result=False))

    def delete(self, key: Any) -> bool:
        return bool(_ignore_errors(super().delete, key, result=False))

    def delete_many(self, keys: Any) -> None:
        _ignore_errors(super().delete_many, keys)


def _ignore_errors(method: Callable[..., Any], *args: Any, result: Any = None) -> Any:
    """Call the method and return its result. If Redis raises an error, log the error and return `result`."""
    try:
        return method(*args)
    except RedisError as error:
        logger.warning("the cache is unavailable: %s", type(error).__name__)
        return result
