"""Tests of the status of a restored hotel (active or suspended), and tests that no e-mail is sent twice."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from dlq.models import Failure
from dlq.policy import FAILURE_DUE
from dlq.services import capture
from hotelagent.core.ids import uuid7
from tenants import host_routing, services, tasks
from tenants.context import hotel_context, platform_context
from tenants.database import roles
from tenants.database.connections import direct_connection
from tenants.database.logins import get_database_logins
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch, due
from tests.servers import MailServer
from tests.tenants import populated_hotel, sql
from tests.tenants.backups import backup, delete, get_hotel, restore

pytestmark = pytest.mark.django_db(transaction=True)


def schedule_overdue_item(hotel: Hotel) -> None:
    with hotel_context(hotel):
        due.schedule(kind="reminder", items=[(uuid7(), timezone.now())])


def test_restored_hotel_without_overdue_items_is_activated(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    delete(sol)
    assert restore(file)["status"] == "active"
    assert host_routing.resolve("sol.localhost") is not None


def test_restored_hotel_stays_suspended_if_its_backup_contains_overdue_reminders(
    sol: Hotel, file: Path
) -> None:
    """The restored hotel must not repeat a reminder that the original hotel may have sent after the backup."""
    schedule_overdue_item(sol)
    backup(file, "sol")
    delete(sol)
    result = restore(file)
    assert result["status"] == "suspended"
    assert "may have been processed after the backup" in result["suspension_reasons"][0]
    assert host_routing.resolve("sol.localhost").status == "suspended"  # type: ignore[union-attr]
    with platform_context():
        assert dispatch.claim() == []
    services.resume_hotel(hotel_id=sol.id)
    with platform_context():
        item = DueItem.objects.get(hotel_id=sol.id)
        assert item.claim_at == item.due_at


def test_restore_hotel_with_discard_due_discards_overdue_items_and_activates_the_hotel(
    sol: Hotel, file: Path
) -> None:
    schedule_overdue_item(sol)
    later = uuid7()
    with hotel_context(sol):
        due.schedule(kind="reminder", items=[(later, timezone.now() + timedelta(hours=1))])
    backup(file, "sol")
    delete(sol)
    result = restore(file, discard_due=True)
    assert (result["status"], result["discarded_items"]) == ("active", 1)
    with platform_context():
        assert DueItem.objects.get(hotel_id=sol.id).item_id == later


def test_restored_failure_whose_retry_was_discarded_has_the_status_in_doubt(sol: Hotel, file: Path) -> None:
    with hotel_context(sol):
        overdue, later = [
            capture(is_task=True, source="tests", name=name, payload={}, error=ZeroDivisionError()).id
            for name in ("overdue", "later")
        ]
        due.schedule(kind=FAILURE_DUE, items=[(overdue, timezone.now())])
    backup(file, "sol")
    delete(sol)
    assert restore(file, discard_due=True)["discarded_items"] == 1
    with hotel_context(get_hotel("sol")):
        found = {failure.id: failure.status for failure in Failure.objects.all()}
    assert found == {overdue: "in_doubt", later: "scheduled"}


def test_restored_hotel_stays_suspended_on_request_or_if_backed_up_while_suspended(
    sol: Hotel, file: Path
) -> None:
    backup(file, "sol")
    delete(sol)
    assert restore(file, suspended=True)["suspension_reasons"] == ["you requested it"]
    backup(file, "sol", force=True)
    delete(sol)
    assert restore(file)["suspension_reasons"] == ["it was suspended when it was backed up"]


def test_restore_hotel_while_the_original_hotel_exists_sends_no_email(
    smtp: MailServer, file: Path, tmp_path: Path
) -> None:
    populated = populated_hotel.create_populated_hotel("sol", folder=tmp_path, smtp=smtp)
    before = populated_hotel.read_rows(populated.hotel.schema)
    shared_before = populated_hotel.read_shared_rows(populated.hotel.id)
    backup(file, "sol")
    out = StringIO()
    call_command("restore_hotel", file, slug="sol-copy", stdout=out)
    copy = get_hotel("sol-copy")
    assert (copy.status, copy.schema, copy.id == populated.hotel.id) == ("suspended", "hotel_sol_copy", False)
    assert "would send e-mails to the same guests" in out.getvalue()
    assert "resume_hotel sol-copy" in out.getvalue()
    assert populated_hotel.read_rows(copy.schema) == before
    assert populated_hotel.read_shared_rows(copy.id)["tenants_dueitem"] == shared_before["tenants_dueitem"]
    # The original hotel keeps the domains and contacts, which are unique.
    assert "1 rows of tenants_domain" in out.getvalue()
    assert populated_hotel.read_shared_rows(populated.hotel.id) == shared_before
    assert (
        populated_hotel.read_shared_rows(copy.id)["tenants_domain"]
        == populated_hotel.read_shared_rows(copy.id)["tenants_contactidentifier"]
        == []
    )
    accepted = len(smtp.accepted)
    with platform_context():
        tasks.tick()
    assert len(smtp.accepted) == accepted
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        assert roles.find_privilege_drift(cursor, get_database_logins(cursor)) == []


def test_restore_hotel_from_another_platform_host_keeps_the_hotel_suspended(
    sol: Hotel, file: Path, settings: Any
) -> None:
    settings.PLATFORM_HOST = "hotels.example"
    backup(file, "sol")
    settings.PLATFORM_HOST = "localhost"
    delete(sol)
    assert "backed up at hotels.example" in restore(file)["suspension_reasons"][0]


def test_restore_hotel_without_database_roles_creates_no_role(sol: Hotel, file: Path, settings: Any) -> None:
    backup(file, "sol")
    delete(sol)
    settings.DATABASE_ROLES = False
    assert restore(file)["status"] == "active"
    assert sol.role not in sql.list_hotel_roles()
    assert "hotel_sol" in sql.list_schemas()


def test_restored_hotel_whose_role_is_in_use_gets_a_new_id(hotel: Hotel, file: Path) -> None:
    """The test's database is a copy of a template database. The role of the hotel alpha has privileges in both
    databases.
    """
    backup(file)
    with platform_context():
        Hotel.objects.filter(id=hotel.id).delete()
    sql.execute("DROP SCHEMA hotel_alpha CASCADE")
    result = restore(file)
    assert not result["keeps_id"]
    assert result["id"] != str(hotel.id)
