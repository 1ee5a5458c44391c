"""The functions of the benchmark `audit_rows` that use hotelagent."""

import time

from django.core.management import call_command
from django.db import connection, transaction

from audit.events import OBJECT_CHANGED
from audit.models import Event
from audit.services import record
from tenants import services
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel, User
from tests.benchmarks.side_audit_common import staff_account


def prepare() -> None:
    call_command("migrate", verbosity=0)
    services.create_hotel(slug="bench", name="bench")


def _hotel() -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug="bench")


def add_rows(count: int) -> None:
    with hotel_context(_hotel()):
        User.objects.bulk_create(User(**staff_account(number)) for number in range(count))


def update_rows(number: int, count: int) -> float:
    """Change the role of all accounts with one statement. Return the seconds that the statement took."""
    hotel = _hotel()
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute("VACUUM tenants_user")
    with hotel_context(hotel):
        before = sum(Event.objects.filter(event="rows.updated").values_list("data__count", flat=True))
        started = time.perf_counter()
        with actor_context(Actor("user", "7", "rosa")), transaction.atomic():
            changed = User.objects.update(role=f"role {number}")
            record(OBJECT_CHANGED, subject=("user", ""), changed=["role"])
        seconds = time.perf_counter() - started
        recorded = (
            sum(Event.objects.filter(event="rows.updated").values_list("data__count", flat=True)) - before
        )
    if (changed, recorded) != (count, count):
        raise RuntimeError(f"{changed} rows were changed, and {recorded} were recorded.")
    return seconds
