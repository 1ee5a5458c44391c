"""Tests that the database functions of holds use indexes, even if their plans were made while the table was small."""

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from locks import services
from tenants.database.logins import RUNTIME_SETTINGS
from tenants.models import Hotel
from tests.locks.conftest import SomeNights

pytestmark = pytest.mark.django_db(transaction=True)

_TABLE_SCANS = "SELECT seq_scan FROM pg_stat_xact_all_tables WHERE relid = 'locks_allocation'::regclass"


def test_operations_on_holds_do_not_read_the_whole_table_of_allocations(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    # All rows are holds of one client. With these statistics PostgreSQL prefers a table scan where no index fits.
    for night in range(100):
        services.acquire_hold(rooms=rooms[:1], nights=nights(2 * night))
    with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as owner:
        owner.execute(f'ANALYZE "{in_hotel.schema}".locks_allocation')
    with transaction.atomic(), connection.cursor() as cursor:
        # The test database is a copy, which does not have the settings of the runtime login.
        cursor.execute(f"SET LOCAL random_page_cost = {RUNTIME_SETTINGS['random_page_cost']}")
        # PostgreSQL decides at the sixth call whether it keeps a plan for all following calls.
        for night in range(10):
            hold = services.acquire_hold(rooms=rooms[1:2], nights=nights(night))
            services.extend_hold(hold.id, token=hold.token)
            services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
            services.cancel_confirmed_hold(hold.id, token=hold.token)
            group = services.acquire_hold(rooms=rooms[1:], nights=nights(night))
            services.release_hold(group.id, token=group.token)
            single = services.acquire_hold(rooms=rooms[1:2], nights=nights(night))
            services.release_hold(single.id, token=single.token)
        cursor.execute(_TABLE_SCANS)
        assert cursor.fetchone() == (0,)
