"""Helpers that run SQL statements and call database functions in the schema of the current hotel."""

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString

from django.db import connection

from audit.services import actor_as_json
from tenants.context import current_hotel
from tenants.database.functions import call_function


def fetch_rows(statement: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run one statement. Return its rows as dictionaries by column name."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def postgres_array(values: Iterable[object]) -> str:
    """Return numbers, ids or names as a PostgreSQL array in text format, such as `{1,2}`.

    Requests to the database functions in `locks/sql` contain arrays in this format.
    """
    return f"{{{','.join(map(str, values))}}}"


def function_context() -> dict[str, Any]:
    """Return the parameters that all database functions of this app need: the current hotel and the actor."""
    hotel = current_hotel()
    return {"hotel": str(hotel.id), "time_zone": hotel.time_zone, "actor": actor_as_json()}


def call(function: LiteralString, request: Mapping[str, Any]) -> Any:
    """Call a function of `locks/sql` in one round trip, and return its decoded result.

    The changes are committed immediately unless a transaction is open.
    """
    return call_function(function, {**function_context(), **request})
