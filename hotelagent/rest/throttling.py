"""Rate limits per client (API key, member of staff or IP address), stored in Redis.

A Lua script in Redis implements the generic cell rate algorithm (GCRA, ITU-T I.371). Unlike a counter per minute, the
algorithm does not allow twice the limit around the end of a minute. If Redis is unreachable, requests are allowed, and
no request uses Redis for the next five seconds.
"""

import hashlib
import math
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, cast

import redis
import structlog
from django.conf import settings
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from hotelagent.core import metrics
from hotelagent.rest import call_counts
from tenants.access.actors import api_actor
from tenants.access.authentication import ApiClient
from tenants.access.client_address import client_address
from tenants.context import actor_context, current_tenant
from tenants.signals import rate_limit_exceeded

# The views of REST framework import this module, so an import of APIView at run time would be circular.
if TYPE_CHECKING:
    from rest_framework.views import APIView

REDIS_TIMEOUT_SECONDS = 0.25
REDIS_PAUSE_SECONDS = 5.0
#: For each client, the signal `rate_limit_exceeded` is sent at most once in this number of seconds.
REPORT_SECONDS = 3600
_PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# KEYS[1] is the client's Redis key. Its value is the "theoretical arrival time" of GCRA in microseconds.
# ARGV[1] is the cost of a request in microseconds, and ARGV[2] is the maximum number of requests in a burst.
# KEYS[2] is a Redis key that exists for ARGV[3] seconds (REPORT_SECONDS) after a refused request of the client.
# KEYS[3] is optional. It is the key of the count of allowed requests, which exists for ARGV[4] seconds.
# The script returns five numbers. The first number is 1 if the request is allowed, and 0 if it is refused.
# The next three numbers are the remaining requests, the microseconds to wait and the microseconds until the reset.
# The fifth number is 1 if the request is the first refused request of the client in REPORT_SECONDS seconds.
_GCRA = """
local cost, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local next_arrival = arrival + cost
local remaining = size * cost - (next_arrival - now)
if remaining < 0 then
  local first = redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3])
  return {0, 0, -remaining, arrival - now, first and 1 or 0}
end
redis.call('SET', KEYS[1], string.format('%.0f', next_arrival), 'PX', math.ceil((next_arrival - now) / 1000))
if KEYS[3] and redis.call('INCR', KEYS[3]) == 1 then
  redis.call('EXPIRE', KEYS[3], ARGV[4])
end
return {1, math.floor(remaining / cost), 0, next_arrival - now, 0}
"""

logger = structlog.get_logger(__name__)

THROTTLE = metrics.counter(
    "hotelagent_throttle_total",
    "Requests by the result of the rate limit: allowed, refused, or unknown without Redis.",
    labels=["outcome"],
)


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate limit: at most `requests` requests in `seconds` seconds. The requests may all arrive at the same time."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Convert a text such as "1200/min" to a rate."""
        requests, _slash, period = text.partition("/")
        return cls(int(requests), _PERIODS[period[0]])


@dataclass(frozen=True, slots=True)
class ThrottleResult:
    """The result of a rate limit check: whether the request is allowed, and the values of the response headers."""

    policy: str
    rate: Rate
    allowed: bool
    remaining: int
    wait_seconds: float
    reset_seconds: float
    #: Whether the request is the client's first refused request within REPORT_SECONDS seconds.
    is_first_refusal: bool

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.rate.requests};w={self.rate.seconds}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={math.ceil(self.reset_seconds)}',
        }


class ClientThrottle(BaseThrottle):
    """The rate limit of all API views. Each hotel counts the requests of a client separately.

    A client is identified by its API key or user account, or else by its IP address.
    """

    _resume_at: ClassVar[float] = 0.0
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def allow_request(self, request: Request, _view: "APIView") -> bool:
        policy, client = policy_and_client(request)
        rate = Rate.parse(str(api_settings.DEFAULT_THROTTLE_RATES[policy]))
        self.result = self.check(policy=policy, client=client, rate=rate, count_key=_count_key(request))
        if self.result is None:
            THROTTLE.labels(outcome="unknown").inc()
            return True
        request._request.throttle_result = self.result  # type: ignore[attr-defined]
        THROTTLE.labels(outcome="allowed" if self.result.allowed else "refused").inc()
        if self.result.is_first_refusal:
            with actor_context(api_actor(request)):
                rate_limit_exceeded.send(
                    type(self), policy=policy, requests=rate.requests, seconds=rate.seconds
                )
        return self.result.allowed

    def wait(self) -> float | None:
        return self.result.wait_seconds if self.result else None

    @classmethod
    def check(
        cls, *, policy: str, client: str, rate: Rate, all_hotels: bool = False, count_key: str = ""
    ) -> ThrottleResult | None:
        """Count one request of the client and return the result, or None if Redis is unreachable.

        A request that exceeds the limit is not counted. With `all_hotels`, the requests of the client to all hotels are
        counted together. An allowed request also increments the value of the Redis key `count_key`, if it is given.
        """
        if time.monotonic() < cls._resume_at:
            return None
        cost = rate.seconds * 1_000_000 // rate.requests
        try:
            key = redis_key(client, all_hotels=all_hotels)
            allowed, remaining, wait, reset, is_first = _script()(
                keys=[key, f"{key}:refused", *([count_key] if count_key else [])],
                args=[cost, rate.requests, REPORT_SECONDS, call_counts.KEEP_DAYS * 86_400],
            )
        except redis.RedisError as error:
            with cls._lock:
                cls._resume_at = time.monotonic() + REDIS_PAUSE_SECONDS
            logger.warning("throttle_without_redis", error=type(error).__name__, pause=REDIS_PAUSE_SECONDS)
            return None
        return ThrottleResult(
            policy, rate, bool(allowed), remaining, wait / 1e6, reset / 1e6, is_first_refusal=bool(is_first)
        )


def _count_key(request: Request) -> str:
    """Return the Redis key that counts this request of a hotel's API client. Return "" for all other requests."""
    tenant, user = current_tenant(), cast("object", request.user)
    is_call = isinstance(user, ApiClient) and not tenant.is_platform
    return call_counts.key_of_today(tenant) if is_call else ""


def policy_and_client(request: Request) -> tuple[str, str]:
    """Return the name of the client's rate limit (in DEFAULT_THROTTLE_RATES) and a text that identifies the client."""
    if request.user and request.user.is_authenticated:
        return "client", f"{type(request.user).__name__}:{request.user.pk}"
    return "anonymous", client_address(request._request).ip or ""


def redis_key(client: str, *, all_hotels: bool = False) -> str:
    # The client may be an IP address (personal data), and Redis keys appear in monitoring, so the key contains a hash.
    digest = hashlib.sha256(client.encode()).hexdigest()[:32]
    tenant = "all-hotels" if all_hotels else current_tenant().schema
    return f"{settings.REDIS_KEY_PREFIX}:throttle:{tenant}:{digest}"


@cache
def _script() -> Any:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
    )
    return client.register_script(_GCRA)
