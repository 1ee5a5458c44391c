"""The functions that the benchmark `dlq_flood` measures. They store failures and request admin pages."""

import time
from functools import cache
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.test import Client

from dlq import services
from dlq.groups.models import FailureGroup
from dlq.models import Failure, FailureStatus
from tenants import services as tenants
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import Role

SLUG = "flood"
#: The name of the failures. A retry handler is registered for this name, so each captured failure schedules a retry.
NAME = "reminders.send"
#: Errors that name different mail servers have different fingerprints.
SERVERS = ("alpha", "beta", "gamma", "delta")


class MailboxFullError(Exception):
    pass


def prepare() -> None:
    call_command("migrate", verbosity=0)
    tenants.create_hotel(slug=SLUG, name="Flood")


@cache
def hotel() -> Any:
    with platform_context():
        return Hotel.objects.get(slug=SLUG)


def fail(number: int, group: int) -> None:
    raise MailboxFullError(f"552 5.2.2 mailbox {number} of {SERVERS[group]} is full")


def capture(first: int, count: int, group: int) -> None:
    """Store `count` failures of different reminders. All these failures belong to one group.

    The error messages contain the mail server `SERVERS[group]`. Raises RuntimeError if a failure has no scheduled
    retry.
    """
    with hotel_context(hotel()):
        for number in range(first, first + count):
            try:
                fail(number, group)
            except MailboxFullError as error:
                payload = {"reminder": str(UUID(int=number))}
                captured = services.capture(
                    is_task=False, source="reminders", name=NAME, payload=payload, error=error
                )
                if captured.status != FailureStatus.SCHEDULED:
                    raise RuntimeError(f"failure {captured.id}: {captured.status}") from error


@cache
def staff() -> Client:
    client = Client(SERVER_NAME=f"{SLUG}.localhost")
    with hotel_context(hotel()):
        client.force_login(User.objects.create_user(username="rosa", password=None, role=Role.MANAGER))
    return client


def visit_slowest_page() -> float:
    """Request the list of groups and the page of the latest group. Return the duration of the slower request."""
    with hotel_context(hotel()):
        fingerprint = FailureGroup.objects.order_by("-last_seen_at").values_list("pk", flat=True)[0]
    slowest = 0.0
    for path in ("", f"{fingerprint}/change/"):
        started = time.perf_counter()
        response = staff().get(f"/admin/dlq/failuregroup/{path}")
        slowest = max(slowest, time.perf_counter() - started)
        if response.status_code != 200 or b"mailbox" not in response.content:
            raise RuntimeError(f"{path}: {response.status_code}")
    return slowest


def count_groups() -> float:
    """Return the number of groups that contain the failures of this benchmark.

    The error message of these failures contains the name of the mail server `SERVERS[0]`.
    """
    with hotel_context(hotel()):
        flood = Failure.objects.filter(error_message__contains=SERVERS[0])
        return float(flood.values("fingerprint").distinct().count())
