"""Tests that `audit_verify --rows` finds rows that were changed without a recorded event."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from audit.models import Event
from audit.row_changes.tables import carry_rows, restate_rows, tables_of_current_tenant
from audit.row_changes.triggers import track_rows
from audit.verification.results import Status, TrailReport
from audit.verification.rows import Difference, find_differences
from audit.verification.verify import Options, verify_trail
from reminders.models import Rule, Template
from tenants import services
from tenants.access import api_keys
from tenants.context import PLATFORM, hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel, User
from tenants.scopes import Role
from tenants.tracked_rows import TrackedTable
from tests import servers
from tests.audit.row_changes.changes import add_user, as_owner, last_change
from tests.audit.sealing.trails import seal_trail
from tests.tenants.backups import backup, get_hotel, restore

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Rows:
    """A hotel with changed rows in a sealed trail. The methods change rows without recording an event."""

    hotel: Hotel
    user: User

    def sql(self, statement: str, *values: Any, table: str = "tenants_user") -> None:
        """Run a statement in the schema of the hotel while the triggers of the table are disabled."""
        with hotel_context(self.hotel), connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(statement, values)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # with pending checks, ALTER TABLE fails
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    def change(self) -> None:
        self.sql("UPDATE tenants_user SET role = 'manager' WHERE id = %s", self.user.pk)

    def change_secret(self) -> None:
        self.sql("UPDATE tenants_user SET password = 'md5$x$y' WHERE id = %s", self.user.pk)

    def delete(self) -> None:
        self.sql("DELETE FROM tenants_user WHERE id = %s", self.user.pk)

    def insert(self) -> None:
        self.sql(
            "INSERT INTO tenants_user (id, username, full_name, email, password, role, language, is_active) "
            "VALUES (gen_random_uuid(), 'mallory', '', '', '!', 'manager', '', true)"
        )

    def change_rule(self) -> None:
        self.sql("UPDATE reminders_rule SET window_hours = 700", table="reminders_rule")

    def change_before_a_recorded_change(self) -> None:
        """Change the role of the account without an event, and then its language with an event."""
        self.change()
        with hotel_context(self.hotel):
            User.objects.filter(pk=self.user.pk).update(language="es")

    def change_and_change_back(self) -> None:
        """Change the role of the account without an event, and then change the role back with an event."""
        self.change()
        with hotel_context(self.hotel):
            User.objects.filter(pk=self.user.pk).update(role=Role.FRONT_DESK)


FOUND = {
    "change": r"The row \S+ of the table tenants_user was changed, and no event records this\.$",
    "change_secret": r"tenants_user was changed",
    "delete": r"tenants_user was deleted, and no event",
    "insert": r"tenants_user was inserted, and no event",
    "change_rule": r"reminders_rule was changed, and no event records this\. 1 more rows differ\.",
    "change_before_a_recorded_change": r"tenants_user was changed",
    "change_and_change_back": r"tenants_user was changed",
}


@pytest.fixture
def rows(hotel: Hotel) -> Rows:
    with hotel_context(hotel):
        user = add_user("rosa")
        User.objects.filter(pk=user.pk).update(language="en")
        User.objects.filter(pk=user.pk).update(language="")
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM tenants_user WHERE id = %s", [add_user("ben").pk])
        api_keys.create(name="channel manager", scopes=["locks:read"])
        Rule.objects.update(daily_limit=4)
        Template.objects.latest("id").delete()
    seal_trail(hotel.tenant)
    return Rows(hotel, user)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Run the block as the owner of the database in one transaction, and roll the transaction back."""
    with direct_connection(), platform_context(), transaction.atomic():
        yield
        transaction.set_rollback(True)


def verify(hotel: Hotel) -> TrailReport:
    return verify_trail(hotel.tenant, Options(rows=True))


@pytest.mark.parametrize("change", FOUND)
def test_row_changed_without_an_event_is_found_with_table_key_and_reason(rows: Rows, change: str) -> None:
    unmodified = verify(rows.hotel)
    assert unmodified.status == Status.VALID, unmodified
    assert "The rows of 5 tables are as the events say." in unmodified.notes
    with rolled_back():
        getattr(rows, change)()
        report = verify(rows.hotel)
        without_rows = verify_trail(rows.hotel.tenant)
    assert (report.status, report.position) == (Status.INVALID, None), report
    assert re.search(FOUND[change], report.reason), report.reason
    assert str(rows.user.pk) in report.reason or change in {"insert", "change_rule"}
    # The control: a verification that does not compare the rows finds no problem.
    assert without_rows.status == Status.VALID


def test_row_changed_with_the_replication_role_is_found_by_the_command(rows: Rows) -> None:
    assert run_command(rows.hotel) == (0, "")
    database = psycopg.conninfo.conninfo_to_dict(settings.DATABASE_DIRECT_URL)["dbname"]
    url = servers.with_database(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], str(database))
    with psycopg.connect(url) as session:
        session.execute("SET session_replication_role = replica")
        session.execute(
            f"UPDATE {rows.hotel.schema}.tenants_user SET role = 'manager' WHERE username = 'rosa'"
        )
    code, reason = run_command(rows.hotel)
    assert code == 1
    assert f"The row {rows.user.pk} of the table tenants_user was changed" in reason


def run_command(hotel: Hotel) -> tuple[int, str]:
    """Run `audit_verify --rows`. Return the exit code and the reason."""
    out = StringIO()
    code = 0
    try:
        call_command("audit_verify", hotel=hotel.slug, rows=True, json=True, stdout=out)
    except SystemExit as stop:
        code = int(str(stop.code))
    return code, json.loads(out.getvalue())["trails"][0]["reason"]


_CHANGED_ARGUMENTS = """
DROP TRIGGER audit_rows_updated ON tenants_user;
CREATE TRIGGER audit_rows_updated AFTER UPDATE ON tenants_user
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_track_rows('tenants_user', 'user', 'id', 'language', '', '')
"""
_CHANGED_CONDITION = """
DROP TRIGGER audit_rows_truncated ON tenants_user;
CREATE TRIGGER audit_rows_truncated BEFORE TRUNCATE ON tenants_user
    WHEN (false) EXECUTE FUNCTION audit_track_rows()
"""
_CHANGED_FUNCTION = """
CREATE OR REPLACE FUNCTION public.audit_track_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    AS $$ BEGIN RETURN NULL; END $$
"""


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("ALTER TABLE tenants_user DISABLE TRIGGER audit_rows_updated", "updated .* is missing or disabled"),
        ("DROP TRIGGER audit_rows_deleted ON locks_webhook", "locks_webhook is missing or disabled"),
        (_CHANGED_ARGUMENTS, "audit_rows_updated .* was changed: .*language"),
        (_CHANGED_CONDITION, r"audit_rows_truncated .* was changed: .*WHEN \(false\)"),
        (_CHANGED_FUNCTION, "audit_track_rows was changed"),
    ],
)
def test_verification_finds_disabled_and_changed_triggers_of_tracked_tables(
    rows: Rows, statement: str, reason: str
) -> None:
    assert verify(rows.hotel).status == Status.VALID
    with rolled_back(), hotel_context(rows.hotel), connection.cursor() as cursor:
        cursor.execute(statement)
        report = verify_trail(rows.hotel.tenant)
    assert report.status == Status.INVALID
    assert re.search(reason, report.reason), report.reason


def test_rows_of_a_new_hotel_and_of_the_platform_are_recorded_from_the_beginning() -> None:
    sol = services.create_hotel(slug="sol", name="Sol")
    with platform_context():
        add_user("ada", role=Role.PLATFORM)
    for tenant in (sol.tenant, PLATFORM):
        seal_trail(tenant)
        report = verify_trail(tenant, Options(rows=True))
        assert report.status == Status.VALID, report
    with hotel_context(sol):
        assert Rule.objects.exists()
        assert not Event.objects.filter(event="rows.restated").exists()


def test_rows_of_a_restored_hotel_and_of_a_masked_copy_are_valid(rows: Rows, tmp_path: Path) -> None:
    backup(tmp_path / "full.hotel", rows.hotel.slug)
    backup(tmp_path / "masked.hotel", rows.hotel.slug, masked=True)
    restore(tmp_path / "full.hotel", slug="copy")
    restore(tmp_path / "masked.hotel", slug="masked")
    for slug in ("copy", "masked"):
        hotel = get_hotel(slug)
        seal_trail(hotel.tenant)
        report = verify(hotel)
        assert report.status == Status.VALID, report
        with hotel_context(hotel):
            assert User.objects.count() == 1
            assert Event.objects.filter(event="rows.restated").exists() == (slug == "masked")
        # The control: a change without an event is found in the copy too.
        with rolled_back():
            Rows(hotel, rows.user).sql("UPDATE tenants_user SET role = 'manager'")
            assert "tenants_user was changed" in verify(hotel).reason


def test_rows_changed_without_an_event_are_valid_after_their_state_was_recorded_again(rows: Rows) -> None:
    with rolled_back(), hotel_context(rows.hotel):
        rows.change()
        rows.insert()
        rows.change_and_change_back()
        assert all_differences() != []
        restate_rows()
        assert all_differences() == []
        restated = Event.objects.filter(event="rows.restated").latest("id")
        # The event `rows.restated` contains digests of the rows, but no values.
        assert {str(row[3]) for row in restated.data["rows"]} == {"{}"}
        assert restated.personal is None
        User.objects.filter(pk=rows.user.pk).update(language="es")
        assert all_differences() == []
        rows.delete()
        assert [difference.is_present for difference in all_differences()] == [False]


def all_differences() -> list[Difference]:
    return [row for table in tables_of_current_tenant() for row in find_differences(table)]


def test_rows_stay_verifiable_after_retention_deleted_their_events(rows: Rows) -> None:
    """The control deletes the same events without recording the state of the rows."""
    with hotel_context(rows.hotel):
        last = Event.objects.filter(event="rows.updated", data__table="tenants_user").order_by(
            "transaction", "id"
        )[0]
    for carries, expected in ((True, []), (False, [rows.user.pk])):
        with rolled_back(), hotel_context(rows.hotel):
            if carries:
                carry_rows(last_transaction=last.transaction, last_id=last.id)
            rows.sql(
                "DELETE FROM audit_event WHERE (transaction, id) <= (%s, %s)",
                last.transaction, last.id, table="audit_event",
            )  # fmt: skip
            differences = all_differences()
            keys = [difference.key for difference in differences if difference.table == "tenants_user"]
            assert keys == [str(key) for key in expected]
            assert carries is (differences == [])
            rows.change()
            assert str(rows.user.pk) in [difference.key for difference in all_differences()]


def test_change_without_an_event_is_found_after_retention_deleted_older_events(rows: Rows) -> None:
    with rolled_back(), hotel_context(rows.hotel):
        rows.change()
        newest = last_change()
        carry_rows(last_transaction=newest.transaction, last_id=newest.id)
        rows.sql(
            "DELETE FROM audit_event WHERE (transaction, id) <= (%s, %s)",
            newest.transaction, newest.id, table="audit_event",
        )  # fmt: skip
        assert [difference.key for difference in all_differences()] == [str(rows.user.pk)]


def test_change_of_the_tracked_columns_keeps_the_rows_verifiable(rows: Rows) -> None:
    """A migration that adds a column replaces the triggers and records the rows with their new digests."""
    table = TrackedTable("tenants_user", "user", ("role",), ("username",), ("password",))
    with as_owner(rows.hotel) as cursor, transaction.atomic():
        assert find_differences(table) != []
        operation = track_rows(
            "tenants_user",
            model_name="user",
            kind="user",
            plain=["role"],
            personal=["username"],
            secret=["password"],
        )
        for statement in operation.sql:
            cursor.execute(statement)
        assert find_differences(table) == []
        User.objects.filter(pk=rows.user.pk).update(language="pt")
        assert find_differences(table) == []
        User.objects.filter(pk=rows.user.pk).update(role=Role.MANAGER)
        assert last_change().data["rows"][0][3] == {"role": ["front_desk", "manager"]}
        assert find_differences(table) == []
        transaction.set_rollback(True)
