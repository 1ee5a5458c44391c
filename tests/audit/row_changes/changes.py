"""Helpers of the tests of row changes: staff accounts to change, and the recorded events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from audit.models import Event
from tenants.context import hotel_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel, User
from tenants.scopes import Role

ROW_EVENTS = ("rows.inserted", "rows.updated", "rows.deleted", "rows.restated")


def add_user(username: str, **fields: Any) -> User:
    """Create a staff account of the current tenant."""
    values = {"role": Role.FRONT_DESK, "password": "geheim-7", "full_name": "Rosa Diaz", **fields}
    return User.objects.create_user(username=username, **values)


def last_change(event: str = "") -> Event:
    """Return the newest event about changed rows in the trail of the current tenant."""
    return Event.objects.filter(event__in=[event] if event else ROW_EVENTS).latest("id")


def changes_of(table: str) -> list[Event]:
    """Return the events about changed rows of a table, oldest first."""
    return list(Event.objects.filter(event__in=ROW_EVENTS, data__table=table).order_by("id"))


@contextmanager
def as_owner(hotel: Hotel) -> Iterator[Any]:
    """Yield a cursor of the database's owner in the schema of the hotel."""
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        yield cursor
