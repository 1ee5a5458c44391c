"""The examination of Redis, the workers, Celery beat, and the due items that wait for a worker."""

import datetime
from collections.abc import Iterator

import redis
from django.conf import settings
from django.db import DatabaseError
from kombu.exceptions import OperationalError

from hotelagent import beat
from hotelagent.celery import app
from hotelagent.monitoring.doctor.findings import Finding, ok, problem, warning
from tenants.context import platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Lease

#: Workers have this number of seconds to respond.
_PING_SECONDS = 2.0
#: If due items have waited for longer than this, there are too few workers.
_LATE = datetime.timedelta(minutes=5)


def examine_redis() -> Iterator[Finding]:
    """Examine whether Redis accepts writes, and whether it may delete messages of the broker."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.set("hotelagent-doctor", "1", ex=60)
            information = client.info()
    except redis.ResponseError as error:
        yield problem(
            "redis",
            f"Redis does not accept writes: {error}",
            "Free memory or raise maxmemory, and connect to the primary server, not to a replica.",
        )
        return
    except redis.RedisError as error:
        yield problem(
            "redis", f"Redis does not respond: {error}", "Check REDIS_URL, and that Redis is running."
        )
        return
    policy = str(information.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and information.get("maxmemory"):
        yield warning(
            "redis",
            f"With maxmemory-policy {policy}, Redis may delete messages to workers.",
            "Set maxmemory-policy to noeviction.",
        )
    else:
        version = information.get("valkey_version") or information.get("redis_version")
        yield ok("redis", f"Version {version}, {information.get('used_memory_human')} in use.")


def examine_workers() -> Iterator[Finding]:
    """Examine whether Celery workers respond."""
    try:
        with app.connection_for_write() as broker:
            replies = app.control.ping(timeout=_PING_SECONDS, connection=broker) or []
    except (OperationalError, redis.RedisError, OSError) as error:
        yield problem("workers", f"The broker does not respond: {error}", "Check REDIS_URL.")
        return
    names = sorted(name for reply in replies for name in reply)
    if names:
        yield ok("workers", f"{len(names)} responded: {', '.join(names)}.")
    else:
        yield problem(
            "workers",
            f"No worker responded within {_PING_SECONDS:g} seconds, so no reminder is sent.",
            "Start `celery -A hotelagent worker`, and look at its log. A worker responds late if all its processes "
            "are busy.",
        )


def examine_beat() -> Iterator[Finding]:
    """Examine the last tick of Celery beat, which sends the periodic tasks."""
    remedy = "Start `celery -A hotelagent beat`, and look at its log."
    try:
        with platform_context():
            lease = Lease.objects.filter(name=beat.LEASE).first()
            now = database_now()
    except DatabaseError:
        return  # `examine_database` reports this error
    if lease is None:
        yield problem("beat", "Celery beat does not run, so no periodic task is sent.", remedy)
        return
    last_tick = lease.expires_at - datetime.timedelta(seconds=beat.LEASE_SECONDS)
    age = (now - last_tick).total_seconds()
    if lease.expires_at < now:
        yield problem("beat", f"The last tick of Celery beat was {age:.0f} seconds ago.", remedy)
    else:
        yield ok("beat", f"The last tick was {max(age, 0.0):.0f} seconds ago ({lease.holder}).")


def examine_due_queue() -> Iterator[Finding]:
    """Examine whether due items, such as reminders, wait for a worker."""
    try:
        with platform_context():
            now = database_now()
            oldest = DueItem.objects.filter(claim_at__lt=now).order_by("claim_at").first()
            late = DueItem.objects.filter(claim_at__lt=now - _LATE).count()
    except DatabaseError:
        return  # `examine_database` reports this error
    if late and oldest:
        minutes = (now - oldest.claim_at).total_seconds() / 60
        yield warning(
            "due-queue",
            f"Items, such as reminders, that have been due for more than five minutes: {late}. "
            f"The oldest has been due for {minutes:.0f} minutes.",
            "Start more workers, and look at their logs.",
        )
    else:
        yield ok("due-queue", "No item has been due for more than five minutes.")
