"""Tests that the declarations of tracked tables agree with the tables, the triggers and the masks of backups."""

import pytest
from django.db import connection

from audit.row_changes.tables import tables_of_current_tenant
from audit.verification.protection import check_protection
from tenants import personal_data
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tenants.tracked_rows import declare_tracked_rows, tracked_tables

TABLES = ["locks_webhook", "reminders_rule", "reminders_template", "tenants_apikey", "tenants_user"]


@pytest.mark.django_db
def test_triggers_of_hotels_and_of_the_platform_are_those_that_are_declared(hotel: Hotel) -> None:
    with hotel_context(hotel):
        check_protection()
        assert [table.name for table in tables_of_current_tenant()] == TABLES
    with platform_context():
        check_protection()
        assert [table.name for table in tables_of_current_tenant()] == ["tenants_apikey", "tenants_user"]


@pytest.mark.django_db
def test_every_column_of_a_tracked_table_is_declared_once(hotel: Hotel) -> None:
    """A new column needs a declaration and a migration with the operation `track_rows`."""
    for table in tracked_tables():
        declared = [table.key, *table.columns, *table.ignored]
        with hotel_context(hotel), connection.cursor() as cursor:
            columns = [
                column.name for column in connection.introspection.get_table_description(cursor, table.name)
            ]
        assert sorted(declared) == sorted(columns), table.name


def test_columns_that_masked_backups_replace_are_personal_or_secret() -> None:
    for table in tracked_tables():
        masked = personal_data.masked_expressions(table.name, table.plain, sensitive=())
        assert masked == {}, table.name


def test_table_with_personal_columns_and_without_a_secret_column_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a secret column"):
        declare_tracked_rows("lamps", kind="lamp", plain=["colour"], personal=["owner"])
