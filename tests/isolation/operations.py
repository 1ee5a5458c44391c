"""The operations of the isolation workload: typical queries, transactions and requests of an application.

An operation is called in the context of its hotel. It raises WrongHotel as soon as it reads a row of another hotel.
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

#: The lowest number `n` of the markers that operations write. The initial markers have the numbers 1 to 5.
WRITTEN = 1000


class WrongHotel(AssertionError):
    """Raised if an operation found a row of another hotel, or did not find a row of its own hotel."""


@dataclass(frozen=True)
class Scene:
    """The arguments of an operation. `name` is the hotel whose rows the operation uses, and `other` is another hotel.

    The context manager `enter` sets the current hotel and can be nested. The threads of `pool` have no current hotel
    until the operation calls `enter` in them.
    """

    name: str
    other: str
    enter: Callable[[str], Any]
    pool: ThreadPoolExecutor
    platform: str = "platform"

    def expect_only(self, hotels: Iterable[str], *, expected: str | None = None) -> None:
        """Raise WrongHotel if `hotels` contains a name other than `expected`, which defaults to `self.name`."""
        wrong = {hotel for hotel in hotels if hotel != (expected or self.name)}
        if wrong:
            raise WrongHotel(f"{expected or self.name} got rows of {', '.join(sorted(map(str, wrong)))}")

    def new_marker(self, n: int = WRITTEN) -> Marker:
        return Marker(hotel=self.name, n=n)


def _initial_hotels() -> list[str]:
    return list(Marker.objects.filter(n__lte=5).values_list("hotel", flat=True))


def read(scene: Scene) -> int:
    scene.expect_only(_initial_hotels())
    return 0


def read_one(scene: Scene) -> int:
    scene.expect_only([Marker.objects.get(pk=3).hotel])
    return 0


def aggregate(scene: Scene) -> int:
    scene.expect_only(row["hotel"] for row in Marker.objects.values("hotel").annotate(Count("id"), Sum("n")))
    return 0


def write(scene: Scene) -> int:
    scene.new_marker().save()
    return 1


def update(scene: Scene) -> int:
    """Write the name of the current hotel to one row of the hotel's table.

    If the statement changed another hotel's row, the check at the end of the test would find the wrong name in the row.
    """
    if Marker.objects.filter(n=5).update(hotel=scene.name, n=F("n")) != 1:
        raise WrongHotel(f"{scene.name} does not have exactly one row with n=5")
    return 0


def delete(scene: Scene) -> int:
    marker = scene.new_marker(n=7)
    marker.save()
    if Marker.objects.filter(pk=marker.pk, hotel=scene.name).delete()[0] != 1:
        raise WrongHotel(f"the row that {scene.name} has just written is missing")
    return 0


def atomic(scene: Scene) -> int:
    with transaction.atomic():
        scene.new_marker().save()
        scene.expect_only(_initial_hotels())
    return 1


def nested(scene: Scene) -> int:
    with transaction.atomic():
        scene.expect_only(_initial_hotels())
        with transaction.atomic():
            scene.new_marker().save()
        with suppress(ZeroDivisionError), transaction.atomic():
            scene.new_marker().save()
            raise ZeroDivisionError
        scene.expect_only(_initial_hotels())
    return 1


def rolled_back(scene: Scene) -> int:
    with suppress(ZeroDivisionError), transaction.atomic():
        scene.new_marker().save()
        scene.expect_only(_initial_hotels())
        raise ZeroDivisionError
    scene.expect_only(_initial_hotels())
    return 0


def raw_savepoint(scene: Scene) -> int:
    """Roll back to a savepoint that was set in the context of another hotel.

    The rollback restores the role and the search_path of the other hotel. Later statements must nevertheless use the
    role and the search_path of the current hotel.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        with scene.enter(scene.other):
            Marker(hotel=scene.other, n=WRITTEN).save()
            cursor.execute("SAVEPOINT manual")
        scene.new_marker().save()
        cursor.execute("ROLLBACK TO SAVEPOINT manual")
        cursor.execute("SELECT hotel FROM marker")
        scene.expect_only(row[0] for row in cursor.fetchall())
    return 1


def switch_hotel(scene: Scene) -> int:
    with transaction.atomic():
        scene.expect_only(_initial_hotels())
        with scene.enter(scene.other):
            scene.expect_only(_initial_hotels(), expected=scene.other)
            Marker(hotel=scene.other, n=WRITTEN).save()
            with transaction.atomic():
                scene.expect_only(_initial_hotels(), expected=scene.other)
        scene.expect_only(_initial_hotels())
        scene.new_marker().save()
    return 2


def fail_in_another_hotel(scene: Scene) -> int:
    with transaction.atomic():
        scene.new_marker().save()
        with suppress(DatabaseError), scene.enter(scene.other), transaction.atomic():
            Marker(hotel=scene.other, n=WRITTEN).save()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")
        scene.expect_only(_initial_hotels())
    return 1


def switch_to_platform(scene: Scene) -> int:
    with transaction.atomic():
        scene.expect_only(_initial_hotels())
        with scene.enter(scene.platform):
            scene.expect_only(_initial_hotels(), expected=scene.platform)
        scene.expect_only(_initial_hotels())
    with scene.enter(scene.platform):
        scene.expect_only(_initial_hotels(), expected=scene.platform)
    return 0


def error_in_autocommit(scene: Scene) -> int:
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT hotel, 1/(n - n) FROM marker")
    scene.expect_only(_initial_hotels())
    return 0


def error_in_transaction(scene: Scene) -> int:
    with suppress(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        scene.new_marker().save()
        cursor.execute("SELECT no_such_column FROM marker")
    scene.expect_only(_initial_hotels())
    return 0


def iterate(scene: Scene) -> int:
    scene.expect_only(marker.hotel for marker in Marker.objects.iterator(chunk_size=2))
    with transaction.atomic():
        scene.expect_only(marker.hotel for marker in Marker.objects.filter(n__lte=5).iterator(chunk_size=2))
    return 0


def bulk(scene: Scene) -> int:
    created = Marker.objects.bulk_create([scene.new_marker(WRITTEN + n) for n in range(7)], batch_size=3)
    if not all(marker.pk for marker in created):
        raise WrongHotel("bulk_create returned no keys")
    return 7


def executemany(scene: Scene) -> int:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO marker (hotel, n) VALUES (%s, %s) -- many",
            [(scene.name, WRITTEN + n) for n in range(5)],
        )
        if cursor.rowcount != 5:
            raise WrongHotel(f"executemany counted {cursor.rowcount} rows of 5")
    return 5


def call_database_function(scene: Scene) -> int:
    """Call a database function with `call_function`, which does not use a cursor.

    With the database backend of django-tenants, this operation does nothing, because that backend needs a cursor.
    """
    if settings.DATABASES["default"]["ENGINE"] != "tenants.database.backend":
        return 0
    scene.expect_only(call_function("write_marker", {"hotel": scene.name, "n": WRITTEN}))
    with suppress(DatabaseError):
        call_function("write_marker", {"hotel": None})
    with transaction.atomic():
        scene.expect_only(call_function("write_marker", {"hotel": scene.name, "n": WRITTEN}))
        with scene.enter(scene.other):
            scene.expect_only(
                call_function("write_marker", {"hotel": scene.other, "n": WRITTEN}), expected=scene.other
            )
        with suppress(DatabaseError), transaction.atomic():
            call_function("write_marker", {"hotel": None})
        scene.expect_only(_initial_hotels())
    return 3


def copy_in(scene: Scene) -> int:
    with connection.cursor() as cursor, cursor.copy("COPY marker (hotel, n) FROM STDIN") as copy:
        for n in range(5):
            copy.write_row((scene.name, WRITTEN + n))
    return 5


def copy_out(scene: Scene) -> int:
    with connection.cursor() as cursor, cursor.copy("COPY marker (hotel) TO STDOUT") as copy:
        scene.expect_only(row[0] for row in copy.rows())
    return 0


def stream(scene: Scene) -> int:
    with connection.cursor() as cursor:
        scene.expect_only(row[0] for row in cursor.stream("SELECT hotel FROM marker WHERE n > %s", [0]))
    return 0


def script(scene: Scene) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO marker (hotel, n) VALUES (%s, %s); SELECT hotel FROM marker; SELECT 'a;b'",
            [scene.name, WRITTEN],
        )
        if cursor.rowcount != 1:
            raise WrongHotel(f"the first of three statements counted {cursor.rowcount}")
        cursor.nextset()
        scene.expect_only(row[0] for row in cursor.fetchall())
        cursor.nextset()
        if cursor.fetchone() != ("a;b",) or cursor.nextset():
            raise WrongHotel("the third of three statements has another result")
    return 1


def composed_query(scene: Scene) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT {} FROM {} WHERE hotel LIKE {} OR hotel <> ''").format(
                sql.Identifier("hotel"), sql.Identifier("marker"), sql.Literal("%;")
            )
        )
        scene.expect_only(row[0] for row in cursor.fetchall())
    return 0


def lock_rows(scene: Scene) -> int:
    with transaction.atomic():
        scene.expect_only(m.hotel for m in Marker.objects.select_for_update(skip_locked=True).filter(n=1))
    return 0


def lazy_queryset(scene: Scene) -> int:
    """Create a queryset in the context of another hotel, and evaluate the queryset in the context of this hotel.

    The queryset must return the rows of this hotel.
    """
    with scene.enter(scene.other):
        queryset = Marker.objects.values_list("hotel", flat=True)
    scene.expect_only(queryset)
    return 0


def on_commit(scene: Scene) -> int:
    seen: list[str] = []
    with transaction.atomic():
        scene.new_marker().save()
        transaction.on_commit(lambda: seen.extend(_initial_hotels()))
    scene.expect_only(seen)
    return 1


def worker_threads(scene: Scene) -> int:
    def work(name: str) -> list[str]:
        with scene.enter(name):
            Marker(hotel=name, n=WRITTEN).save()
            return _initial_hotels()

    futures = [(name, scene.pool.submit(work, name)) for name in (scene.name, scene.other, scene.name)]
    for name, future in futures:
        scene.expect_only(future.result(), expected=name)
    return 3


def request(scene: Scene) -> int:
    """Request the view `Markers`. Check that the rows and the user in the response belong to the hotel."""
    guest = Guest.objects.get()
    scene.expect_only([guest.hotel])
    session = SessionStore()
    session[SESSION_KEY] = str(guest.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = guest.get_session_auth_hash()
    session.save()
    client = Client(SERVER_NAME=f"{scene.name}.localhost")
    client.cookies["sessionid"] = session.session_key or ""
    response = client.get("/markers/")
    if response.status_code != 200:
        raise WrongHotel(f"the request of {scene.name} got the status {response.status_code}")
    rows = json.loads(response.content)
    scene.expect_only(row["hotel"] for row in rows)
    scene.expect_only(row["user"] for row in rows)
    return 0


OPERATIONS: list[Callable[[Scene], int]] = [
    read, read_one, aggregate, write, update, delete, atomic, nested, rolled_back, raw_savepoint,
    switch_hotel, fail_in_another_hotel, switch_to_platform, error_in_autocommit, error_in_transaction, iterate,
    bulk, executemany, call_database_function, copy_in, copy_out, stream, script, composed_query, lock_rows,
    lazy_queryset, on_commit, worker_threads, request,
]  # fmt: skip
