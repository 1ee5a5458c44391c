"""How much one client may ask: a bucket for each key, member of staff or address, kept in Redis.

The generic cell rate algorithm (GCRA, ITU-T I.371) in one Lua script: one atomic round trip, one value a client,
the server's clock, no burst at a window's edge. Answers carry `RateLimit-Policy` and `RateLimit`
(draft-ietf-httpapi-ratelimit-headers-10) and, when refused, `Retry-After`.

Redis away: the request is let through (a throttle protects the house, it isn't a lock on its door), one line is
logged and Redis isn't asked again for five seconds, so that its timeout is not paid by every request.
"""

import hashlib
import math
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import redis
import structlog
from django.conf import settings
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from hotelagent.core import metrics
from tenants.access.actors import client_ip
from tenants.context import current_tenant

if TYPE_CHECKING:  # REST framework reads this module while it makes its own views
    from rest_framework.views import APIView

REDIS_TIMEOUT_SECONDS = 0.25
REDIS_PAUSE_SECONDS = 5.0
_PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# KEYS[1]: the client's bucket, holding the "theoretical arrival time" in microseconds.
# ARGV[1]: microseconds that one request costs; ARGV[2]: requests the bucket holds.
# Answers {1 if let in, requests left, microseconds until the next one is welcome, until the bucket is full again}.
_GCRA = """
local cost, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local after = arrival + cost
local room = size * cost - (after - now)
if room < 0 then
  return {0, 0, -room, arrival - now}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor(room / cost), 0, after - now}
"""

logger = structlog.get_logger(__name__)

THROTTLE = metrics.counter(
    "hotelagent_throttle_total",
    "Requests the throttle looked at: allowed, refused, unknown.",
    labels=["outcome"],
)


@dataclass(frozen=True, slots=True)
class Rate:
    """`requests` in any `seconds`; all of them may come at once."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        requests, _slash, period = text.partition("/")
        return cls(int(requests), _PERIODS[period[0]])


@dataclass(frozen=True, slots=True)
class ThrottleResult:
    policy: str
    rate: Rate
    allowed: bool
    remaining: int
    wait_seconds: float
    reset_seconds: float

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.rate.requests};w={self.rate.seconds}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={math.ceil(self.reset_seconds)}',
        }


class ClientThrottle(BaseThrottle):
    """Known clients by who they are, others by their address; a hotel's clients never share a bucket with another's."""

    _resume_at: ClassVar[float] = 0.0
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def allow_request(self, request: Request, _view: "APIView") -> bool:
        policy, client = identify(request)
        rate = Rate.parse(str(api_settings.DEFAULT_THROTTLE_RATES[policy]))
        self.result = self.check(policy=policy, client=client, rate=rate)
        if self.result is None:
            THROTTLE.labels(outcome="unknown").inc()
            return True
        request._request.throttle_result = self.result  # type: ignore[attr-defined]
        THROTTLE.labels(outcome="allowed" if self.result.allowed else "refused").inc()
        return self.result.allowed

    def wait(self) -> float | None:
        return self.result.wait_seconds if self.result else None

    @classmethod
    def check(cls, *, policy: str, client: str, rate: Rate) -> ThrottleResult | None:
        """The verdict on one more request, counted if it is let in; None where Redis does not answer."""
        if time.monotonic() < cls._resume_at:
            return None
        cost = rate.seconds * 1_000_000 // rate.requests
        try:
            allowed, remaining, wait, reset = _script()(keys=[bucket(client)], args=[cost, rate.requests])
        except redis.RedisError as error:
            with cls._lock:
                cls._resume_at = time.monotonic() + REDIS_PAUSE_SECONDS
            logger.warning("throttle_without_redis", error=type(error).__name__, pause=REDIS_PAUSE_SECONDS)
            return None
        return ThrottleResult(policy, rate, bool(allowed), remaining, wait / 1e6, reset / 1e6)


def identify(request: Request) -> tuple[str, str]:
    """The policy and the name of the bucket's owner."""
    if request.user and request.user.is_authenticated:
        return "client", f"{type(request.user).__name__}:{request.user.pk}"
    return "anonymous", client_ip(request._request) or ""


def bucket(client: str) -> str:
    # Hashed: an address is personal data, and Redis keys turn up in monitors and dumps.
    digest = hashlib.sha256(client.encode()).hexdigest()[:32]
    return f"throttle:{current_tenant().schema}:{digest}"


@cache
def _script() -> Any:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
    )
    return client.register_script(_GCRA)
