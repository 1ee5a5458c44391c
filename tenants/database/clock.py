"""The clock of the database server.

Due times are compared with this clock, because the clocks of other machines may be wrong.
"""

import datetime

from django.db import connection


def database_now() -> datetime.datetime:
    """Return the database's current time as an aware datetime.

    Within a transaction, two calls return different times, whereas SQL's now() always returns the same time.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime.datetime = cursor.fetchone()[0]
    return now
