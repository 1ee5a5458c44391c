"""The database's clock: times that are due are compared there, and our own machines' clocks differ."""

import datetime

from django.db import connection


def database_now() -> datetime.datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime.datetime = cursor.fetchone()[0]
    return now
