"""System checks of the settings. Each message names the environment variable and explains how to correct it."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseError
from django.http.request import validate_host

from tenants.context import platform_context

_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_MIN_TOKEN_LENGTH = 20


@register
def check_platform_host(**_kwargs: Any) -> list[CheckMessage]:
    host = settings.PLATFORM_HOST
    if not _HOST_NAME.fullmatch(host):
        return [
            Error(
                f"PLATFORM_HOST is {host!r}, which is not a valid host name.",
                hint="Set PLATFORM_HOST to a name in lower case, without https://, port or path: example.com.",
                id="hotelagent.E001",
            )
        ]
    refused = [name for name in (host, f"any.{host}") if not validate_host(name, settings.ALLOWED_HOSTS)]
    if refused:
        return [
            Error(
                f"ALLOWED_HOSTS does not allow {' and '.join(refused)}.",
                hint=f"Add '.{host}' to ALLOWED_HOSTS. It allows the platform's host and the hotels below it.",
                id="hotelagent.E002",
            )
        ]
    return []


@register
def check_redis(**_kwargs: Any) -> list[CheckMessage]:
    """Report an error if REDIS_URL is missing or has invalid options. No connection is opened."""
    if not settings.REDIS_URL:
        problem = "REDIS_URL is missing."
    else:
        try:
            redis.Redis.from_url(settings.REDIS_URL).connection_pool.make_connection()
        except (TypeError, ValueError, redis.RedisError):
            # The message of the exception is not shown, because it may contain the URL with the password.
            problem = "REDIS_URL has an unknown option, or an option with an invalid value."
        else:
            return []
    return [
        Error(
            problem,
            hint="Set REDIS_URL to redis://host:6379/0, or to rediss://:password@host:6379/0 for TLS.",
            id="hotelagent.E003",
        )
    ]


@register
def check_usage_settings(**_kwargs: Any) -> list[CheckMessage]:
    limits = {"USAGE_KEEP_DAYS": (60, 36_500), "METRICS_TOP_HOTELS": (0, 1_000)}
    return [
        Error(
            f"{name} is {getattr(settings, name)}.",
            hint=f"Set {name} to a number from {lowest} to {highest}.",
            id="hotelagent.E004",
        )
        for name, (lowest, highest) in limits.items()
        if not lowest <= getattr(settings, name) <= highest
    ]


@register(Tags.database)
def check_redis_prefix(*, databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Warn if another deployment uses the same prefix in the same Redis database.

    The first deployment that runs this check stores the name of its PostgreSQL database in Redis.
    """
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    key = f"{settings.REDIS_KEY_PREFIX}:database"
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT format('%s of server %s', current_database(), system_identifier) FROM pg_control_system()"
            )
            (database,) = cursor.fetchone()
        with redis.Redis.from_url(settings.REDIS_URL, decode_responses=True) as client:
            owner = client.set(key, database, nx=True, get=True) or database
    except (DatabaseError, redis.RedisError):
        # Report nothing if a server is unavailable, because other system checks and the readiness probe report this.
        return []
    if owner == database:
        return []
    return [
        checks.Warning(
            "Another deployment uses the same Redis database with the same PLATFORM_HOST and DATABASE_ROLE_PREFIX. Its "
            f"PostgreSQL database is {owner}, and this one is {database}. Each would run the other's tasks.",
            hint="Give each deployment its own PLATFORM_HOST, DATABASE_ROLE_PREFIX or Redis database. If this "
            f"deployment has moved to another PostgreSQL database, delete the key in Redis: DEL {key}",
            id="hotelagent.W003",
        )
    ]


@register(Tags.security, deploy=True)
def check_redis_certificate(**_kwargs: Any) -> list[CheckMessage]:
    """Warn if the options of REDIS_URL turn off the verification of the TLS certificate."""
    url = urlsplit(settings.REDIS_URL)
    options = dict(parse_qsl(url.query))
    if url.scheme != "rediss" or (
        options.get("ssl_cert_reqs") == "required" and options.get("ssl_check_hostname") == "true"
    ):
        return []
    return [
        checks.Warning(
            "The options of REDIS_URL turn off the verification of the server's certificate.",
            hint="Remove ssl_cert_reqs and ssl_check_hostname. If the certificate is from an authority of your own, "
            "add ssl_ca_certs=/path/to/ca.pem.",
            id="hotelagent.W002",
        )
    ]


@register(Tags.security, deploy=True)
def check_two_factor(**_kwargs: Any) -> list[CheckMessage]:
    if settings.TWO_FACTOR_FOR_PLATFORM:
        return []
    return [
        checks.Warning(
            "Staff of the platform can log in without two-factor authentication.",
            hint="Remove TWO_FACTOR_FOR_PLATFORM=false. Staff set up an authenticator app after their next login.",
            id="hotelagent.W014",
        )
    ]


@register(Tags.security, deploy=True)
def check_metrics_token(**_kwargs: Any) -> list[CheckMessage]:
    token = settings.METRICS_TOKEN
    if not token or len(token) >= _MIN_TOKEN_LENGTH:
        return []
    return [
        checks.Warning(
            f"METRICS_TOKEN is shorter than {_MIN_TOKEN_LENGTH} characters.",
            hint="Set METRICS_TOKEN to a long random value. Without it, only this machine may request /metrics.",
            id="hotelagent.W001",
        )
    ]
