"""A wrong setting is said at the start, with the variable's name and the cure."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.http.request import validate_host

_REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_TOKEN_LENGTH = 20


@register
def check_platform_host(**_options: Any) -> list[CheckMessage]:
    host = settings.PLATFORM_HOST
    if not _HOST.fullmatch(host):
        return [
            Error(
                f"PLATFORM_HOST is {host!r}, which is no host name.",
                hint="Give the name alone, in lower case, without https://, port or path: example.com.",
                id="hotelagent.E001",
            )
        ]
    unanswered = [name for name in (host, f"any.{host}") if not validate_host(name, settings.ALLOWED_HOSTS)]
    if unanswered:
        return [
            Error(
                f"ALLOWED_HOSTS lets nobody reach {' and '.join(unanswered)}.",
                hint=f"Add '.{host}' to ALLOWED_HOSTS: it stands for the platform and every hotel below it.",
                id="hotelagent.E002",
            )
        ]
    return []


@register
def check_redis(**_options: Any) -> list[CheckMessage]:
    if urlsplit(settings.REDIS_URL).scheme in _REDIS_SCHEMES:
        return []
    return [
        Error(
            "REDIS_URL is missing." if not settings.REDIS_URL else "REDIS_URL is no address of a Redis.",
            hint="Set REDIS_URL to redis://host:6379/0, or rediss://:password@host:6379/0 with TLS.",
            id="hotelagent.E003",
        )
    ]


@register(Tags.security, deploy=True)
def check_metrics_token(**_options: Any) -> list[CheckMessage]:
    token = settings.METRICS_TOKEN
    if not token or len(token) >= _TOKEN_LENGTH:
        return []
    return [
        checks.Warning(
            f"METRICS_TOKEN is shorter than {_TOKEN_LENGTH} characters.",
            hint="Give METRICS_TOKEN a long random value; unset, /metrics answers to this machine only.",
            id="hotelagent.W001",
        )
    ]
