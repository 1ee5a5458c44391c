"""The functions of the benchmark `audit_rows` that use django-pghistory with the app `peer_history`."""

import time

import pghistory
from django.core.management import call_command
from django.db import connection

from tests.benchmarks.peer_history.models import Member
from tests.benchmarks.side_audit_common import staff_account


def prepare() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)


def add_rows(count: int) -> None:
    Member.objects.bulk_create(Member(**staff_account(number)) for number in range(count))


def update_rows(number: int, count: int) -> float:
    """Change the role of all accounts with one statement. Return the seconds that the statement took."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM peer_history_member")
    before = _count_events()
    started = time.perf_counter()
    with pghistory.context(user="rosa", url="/members/"):
        changed = Member.objects.update(role=f"role {number}")
    seconds = time.perf_counter() - started
    recorded = _count_events() - before
    if (changed, recorded) != (count, count):
        raise RuntimeError(f"{changed} rows were changed, and {recorded} were recorded.")
    return seconds


def _count_events() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM peer_history_memberevent WHERE pgh_label = 'update'")
        return int(cursor.fetchone()[0])
