"""Tests of the database function that generates version 7 UUIDs for rows that database functions insert."""

import time
import uuid

import pytest
from django.db import connection


@pytest.mark.django_db
@pytest.mark.usefixtures("in_hotel")
def test_uuid7_function_returns_ids_of_version_7_that_sort_by_time() -> None:
    started = time.time()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tenants_uuid7() FROM generate_series(1, 300) AS number, LATERAL "
            "(SELECT pg_sleep(0.00001) WHERE number > 0) AS pause"
        )
        ids: list[uuid.UUID] = [row[0] for row in cursor.fetchall()]
    assert {(id_.version, id_.variant) for id_ in ids} == {(7, uuid.RFC_4122)}
    assert ids == sorted(ids)
    assert -1 < (ids[0].int >> 80) / 1000 - started < 5
