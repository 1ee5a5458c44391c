"""What an application does to its database, each as a function that looks at what it got.

An operation gets its hotel's name and a way to enter others, and returns how many markers it has committed
(n >= 1000). It raises WrongHotel on the first row that is not its hotel's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, F, Sum
from django.test import Client
from psycopg import sql

from tenants.database.functions import call_function
from tests.isolation.app.models import Guest, Marker

WRITTEN = 1000


class WrongHotel(AssertionError):
    pass


@dataclass(frozen=True)
class Here:
    """Where an operation runs. `enter` nests; `pool` threads know no hotel until they enter one."""

    name: str
    other: str
    enter: Callable[[str], Any]
    pool: ThreadPoolExecutor
    platform: str = "platform"

    def only(self, found: Iterable[str], *, expected: str | None = None) -> None:
        wrong = {hotel for hotel in found if hotel != (expected or self.name)}
        if wrong:
            raise WrongHotel(f"{expected or self.name} got rows of {', '.join(sorted(map(str, wrong)))}")

    def new(self, n: int = WRITTEN) -> Marker:
        return Marker(hotel=self.name, n=n)


def _hotels() -> list[str]:
    return list(Marker.objects.filter(n__lte=5).values_list("hotel", flat=True))


def read(here: Here) -> int:
    here.only(_hotels())
    return 0


def read_one(here: Here) -> int:
    here.only([Marker.objects.get(pk=3).hotel])
    return 0


def aggregate(here: Here) -> int:
    here.only(row["hotel"] for row in Marker.objects.values("hotel").annotate(Count("id"), Sum("n")))
    return 0


def write(here: Here) -> int:
    here.new().save()
    return 1


def update(here: Here) -> int:
    """Any other hotel's row would be found by the sweep at the end: its name is written into it."""
    if Marker.objects.filter(n=5).update(hotel=here.name, n=F("n")) != 1:
        raise WrongHotel(f"{here.name} has not one row with n=5")
    return 0


def delete(here: Here) -> int:
    marker = here.new(n=7)
    marker.save()
    if Marker.objects.filter(pk=marker.pk, hotel=here.name).delete()[0] != 1:
        raise WrongHotel(f"the row that {here.name} has just written is not there")
    return 0


def atomic(here: Here) -> int:
    with transaction.atomic():
        here.new().save()
        here.only(_hotels())
    return 1


def nested(here: Here) -> int:
    with transaction.atomic():
        here.only(_hotels())
        with transaction.atomic():
            here.new().save()
        with suppress(ZeroDivisionError), transaction.atomic():
            here.new().save()
            raise ZeroDivisionError
        here.only(_hotels())
    return 1


def rolled_back(here: Here) -> int:
    with suppress(ZeroDivisionError), transaction.atomic():
        here.new().save()
        here.only(_hotels())
        raise ZeroDivisionError
    here.only(_hotels())
    return 0


def raw_savepoint(here: Here) -> int:
    """ROLLBACK TO by hand takes the settings back too, to those of another hotel."""
    with transaction.atomic(), connection.cursor() as cursor:
        with here.enter(here.other):
            Marker(hotel=here.other, n=WRITTEN).save()
            cursor.execute("SAVEPOINT by_hand")
        here.new().save()
        cursor.execute("ROLLBACK TO SAVEPOINT by_hand")
        cursor.execute("SELECT hotel FROM marker")
        here.only(row[0] for row in cursor.fetchall())
    return 1


def switch_inside(here: Here) -> int:
    with transaction.atomic():
        here.only(_hotels())
        with here.enter(here.other):
            here.only(_hotels(), expected=here.other)
            Marker(hotel=here.other, n=WRITTEN).save()
            with transaction.atomic():
                here.only(_hotels(), expected=here.other)
        here.only(_hotels())
        here.new().save()
    return 2


def switch_and_fail(here: Here) -> int:
    with transaction.atomic():
        here.new().save()
        with suppress(DatabaseError), here.enter(here.other), transaction.atomic():
            Marker(hotel=here.other, n=WRITTEN).save()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")
        here.only(_hotels())
    return 1


def to_the_platform(here: Here) -> int:
    with transaction.atomic():
        here.only(_hotels())
        with here.enter(here.platform):
            here.only(_hotels(), expected=here.platform)
        here.only(_hotels())
    with here.enter(here.platform):
        here.only(_hotels(), expected=here.platform)
    return 0


def error_in_autocommit(here: Here) -> int:
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT hotel, 1/(n - n) FROM marker")
    here.only(_hotels())
    return 0


def error_in_transaction(here: Here) -> int:
    with suppress(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        here.new().save()
        cursor.execute("SELECT no_such_column FROM marker")
    here.only(_hotels())
    return 0


def iterate(here: Here) -> int:
    here.only(marker.hotel for marker in Marker.objects.iterator(chunk_size=2))
    with transaction.atomic():
        here.only(marker.hotel for marker in Marker.objects.filter(n__lte=5).iterator(chunk_size=2))
    return 0


def bulk(here: Here) -> int:
    made = Marker.objects.bulk_create([here.new(WRITTEN + n) for n in range(7)], batch_size=3)
    if not all(marker.pk for marker in made):
        raise WrongHotel("bulk_create returned no keys")
    return 7


def executemany(here: Here) -> int:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO marker (hotel, n) VALUES (%s, %s) -- by many",
            [(here.name, WRITTEN + n) for n in range(5)],
        )
        if cursor.rowcount != 5:
            raise WrongHotel(f"executemany counted {cursor.rowcount} rows of 5")
    return 5


def call_database_function(here: Here) -> int:
    """Not by a cursor. The peer's backend has no such door."""
    if settings.DATABASES["default"]["ENGINE"] != "tenants.database.backend":
        return 0
    here.only(call_function("write_marker", {"hotel": here.name, "n": WRITTEN}))
    with suppress(DatabaseError):
        call_function("write_marker", {"hotel": None})
    with transaction.atomic():
        here.only(call_function("write_marker", {"hotel": here.name, "n": WRITTEN}))
        with here.enter(here.other):
            here.only(call_function("write_marker", {"hotel": here.other, "n": WRITTEN}), expected=here.other)
        with suppress(DatabaseError), transaction.atomic():
            call_function("write_marker", {"hotel": None})
        here.only(_hotels())
    return 3


def copy_in(here: Here) -> int:
    with connection.cursor() as cursor, cursor.copy("COPY marker (hotel, n) FROM STDIN") as copy:
        for n in range(5):
            copy.write_row((here.name, WRITTEN + n))
    return 5


def copy_out(here: Here) -> int:
    with connection.cursor() as cursor, cursor.copy("COPY marker (hotel) TO STDOUT") as copy:
        here.only(row[0] for row in copy.rows())
    return 0


def stream(here: Here) -> int:
    with connection.cursor() as cursor:
        here.only(row[0] for row in cursor.stream("SELECT hotel FROM marker WHERE n > %s", [0]))
    return 0


def several_in_one(here: Here) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO marker (hotel, n) VALUES (%s, %s); SELECT hotel FROM marker; SELECT 'a;b'",
            [here.name, WRITTEN],
        )
        if cursor.rowcount != 1:
            raise WrongHotel(f"the first of three statements counted {cursor.rowcount}")
        cursor.nextset()
        here.only(row[0] for row in cursor.fetchall())
        cursor.nextset()
        if cursor.fetchone() != ("a;b",) or cursor.nextset():
            raise WrongHotel("the third of three statements has another answer")
    return 1


def composed(here: Here) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT {} FROM {} WHERE hotel LIKE {} OR hotel <> ''").format(
                sql.Identifier("hotel"), sql.Identifier("marker"), sql.Literal("%;")
            )
        )
        here.only(row[0] for row in cursor.fetchall())
    return 0


def lock_rows(here: Here) -> int:
    with transaction.atomic():
        here.only(m.hotel for m in Marker.objects.select_for_update(skip_locked=True).filter(n=1))
    return 0


def lazy(here: Here) -> int:
    """It runs in the tenant where it is consumed."""
    with here.enter(here.other):
        queryset = Marker.objects.values_list("hotel", flat=True)
    here.only(queryset)
    return 0


def on_commit(here: Here) -> int:
    seen: list[str] = []
    with transaction.atomic():
        here.new().save()
        transaction.on_commit(lambda: seen.extend(_hotels()))
    here.only(seen)
    return 1


def worker_threads(here: Here) -> int:
    def work(name: str) -> list[str]:
        with here.enter(name):
            Marker(hotel=name, n=WRITTEN).save()
            return _hotels()

    futures = [(name, here.pool.submit(work, name)) for name in (here.name, here.other, here.name)]
    for name, future in futures:
        here.only(future.result(), expected=name)
    return 3


def request(here: Here) -> int:
    """Session, request.user and the rows that DRF reads while it renders."""
    guest = Guest.objects.get()
    here.only([guest.hotel])
    session = SessionStore()
    session[SESSION_KEY] = str(guest.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = guest.get_session_auth_hash()
    session.save()
    client = Client(SERVER_NAME=f"{here.name}.localhost")
    client.cookies["sessionid"] = session.session_key or ""
    response = client.get("/markers/")
    if response.status_code != 200:
        raise WrongHotel(f"the session of {here.name} was answered with {response.status_code}")
    rows = json.loads(response.content)
    here.only(row["hotel"] for row in rows)
    here.only(row["user"] for row in rows)
    return 0


ALL: list[Callable[[Here], int]] = [
    read, read_one, aggregate, write, update, delete, atomic, nested, rolled_back, raw_savepoint,
    switch_inside, switch_and_fail, to_the_platform, error_in_autocommit, error_in_transaction, iterate,
    bulk, executemany, call_database_function, copy_in, copy_out, stream, several_in_one, composed, lock_rows, lazy,
    on_commit, worker_threads, request,
]  # fmt: skip
