"""Tests of the system check of PostgreSQL's lock table."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from tenants.checks.lock_table import check_lock_table
from tenants.context import platform_context
from tenants.models import Hotel
from tests.tenants import sql

pytestmark = pytest.mark.django_db(transaction=True)


def add_hotels(count: int) -> None:
    """Insert rows of hotels without schemas, because the check only counts the rows."""
    with platform_context():
        Hotel.objects.bulk_create(
            Hotel(slug=f"h{number}", name="Hotel", schema=f"hotel_h{number}") for number in range(count)
        )


def test_lock_table_check_with_few_hotels_reports_nothing() -> None:
    assert check_lock_table(databases=["default"]) == []
    assert check_lock_table(databases=None) == []


def test_lock_table_check_with_too_many_hotels_recommends_max_locks_per_transaction() -> None:
    add_hotels(6_000)
    [message] = check_lock_table(databases=["default"])
    assert message.id == "tenants.W026"
    tables, _indexes, _sequences = sql.count_relations("hotel_alpha")
    needed = re.search(r"locks (\d+) tables \(6002 hotels\)", message.msg)
    assert needed
    assert 6_003 * tables < int(needed[1]) < 6_003 * tables + 60
    value = re.search(r"max_locks_per_transaction = (\d+)", message.hint or "")
    assert value
    (connections,) = sql.query("SELECT current_setting('max_connections')::int")[0]
    assert 2 * int(needed[1]) <= int(value[1]) * connections < 2.2 * int(needed[1])


def test_max_locks_per_transaction_in_the_compose_file_suffices_for_5000_hotels() -> None:
    compose = (Path(settings.BASE_DIR) / "deploy" / "compose.yml").read_text()
    value = re.search(r"max_locks_per_transaction=(\d+)", compose)
    assert value
    tables, _indexes, _sequences = sql.count_relations("hotel_alpha")
    assert 5_000 * tables <= int(value[1]) * 100
