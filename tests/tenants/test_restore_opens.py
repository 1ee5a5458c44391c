"""A restored hotel is open or suspended: no mail goes twice."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from hotelagent.core.ids import uuid7
from tenants import host_routing, services, tasks
from tenants.context import hotel_context, platform_context
from tenants.database import roles
from tenants.database.connections import direct_connection
from tenants.database.logins import get_database_logins
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch, due
from tests.servers import MailServer
from tests.tenants import lived_in, sql
from tests.tenants.backups import backup, erase, hotel_called, restore

pytestmark = pytest.mark.django_db(transaction=True)


def overdue(hotel: Hotel) -> None:
    with hotel_context(hotel):
        due.schedule(kind="reminder", items=[(uuid7(), timezone.now())])


def test_it_opens_by_itself_where_nothing_can_be_done_twice(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    erase(sol)
    assert restore(file)["status"] == "active"
    assert host_routing.resolve("sol.localhost") is not None


def test_what_became_due_since_the_backup_keeps_it_suspended(sol: Hotel, file: Path) -> None:
    """The reminder may have gone after the backup was made: nobody here can know."""
    overdue(sol)
    backup(file, "sol")
    erase(sol)
    told = restore(file)
    assert told["status"] == "suspended"
    assert "may have been done after the backup" in told["suspension_reasons"][0]
    assert host_routing.resolve("sol.localhost").status == "suspended"  # type: ignore[union-attr]
    with platform_context():
        assert dispatch.claim() == []
    services.resume_hotel(hotel_id=sol.id)
    with platform_context():
        item = DueItem.objects.get(hotel_id=sol.id)
        assert item.claim_at == item.due_at


def test_what_was_due_can_be_forgotten(sol: Hotel, file: Path) -> None:
    """Then nothing can be done twice, and it opens."""
    overdue(sol)
    later = uuid7()
    with hotel_context(sol):
        due.schedule(kind="reminder", items=[(later, timezone.now() + timedelta(hours=1))])
    backup(file, "sol")
    erase(sol)
    told = restore(file, discard_due=True)
    assert (told["status"], told["discarded_items"]) == ("active", 1)
    with platform_context():
        assert DueItem.objects.get(hotel_id=sol.id).item_id == later


def test_it_stays_suspended_where_asked_or_where_it_was(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    erase(sol)
    assert restore(file, suspended=True)["suspension_reasons"] == ["you asked for it"]
    backup(file, "sol", force=True)
    erase(sol)
    assert restore(file)["suspension_reasons"] == ["it was suspended when it was backed up"]


def test_a_copy_beside_the_original_writes_to_nobody(smtp: MailServer, file: Path, tmp_path: Path) -> None:
    lived = lived_in.lived_in("sol", folder=tmp_path, smtp=smtp)
    before = lived_in.everything(lived.hotel.schema)
    shared_before = lived_in.shared(lived.hotel.id)
    backup(file, "sol")
    out = StringIO()
    call_command("restore_hotel", file, slug="sol-copy", stdout=out)
    copy = hotel_called("sol-copy")
    assert (copy.status, copy.schema, copy.id == lived.hotel.id) == ("suspended", "hotel_sol_copy", False)
    assert "it would write to them too" in out.getvalue()
    assert "resume_hotel sol-copy" in out.getvalue()
    assert lived_in.everything(copy.schema) == before
    assert lived_in.shared(copy.id)["tenants_dueitem"] == shared_before["tenants_dueitem"]
    # Domains and contacts are unique here: the original keeps them.
    assert "1 rows of tenants_domain" in out.getvalue()
    assert lived_in.shared(lived.hotel.id) == shared_before
    assert (
        lived_in.shared(copy.id)["tenants_domain"]
        == lived_in.shared(copy.id)["tenants_contactidentifier"]
        == []
    )
    already = len(smtp.accepted)
    with platform_context():
        tasks.tick()
    assert len(smtp.accepted) == already
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        assert roles.find_privilege_drift(cursor, get_database_logins(cursor)) == []


def test_a_backup_of_another_deployment_stays_suspended(sol: Hotel, file: Path, settings: Any) -> None:
    settings.PLATFORM_HOST = "hotels.example"
    backup(file, "sol")
    settings.PLATFORM_HOST = "localhost"
    erase(sol)
    assert "backed up at hotels.example" in restore(file)["suspension_reasons"][0]


def test_a_database_without_roles_takes_it_too(sol: Hotel, file: Path, settings: Any) -> None:
    backup(file, "sol")
    erase(sol)
    settings.DATABASE_ROLES = False
    assert restore(file)["status"] == "active"
    assert sol.role not in sql.hotel_roles()
    assert "hotel_sol" in sql.schemas()


def test_a_role_that_leads_into_another_database_is_not_shared(hotel: Hotel, file: Path) -> None:
    """Every worker's database is a copy of the same one, so alpha's role is at work in the template as well."""
    backup(file)
    with platform_context():
        Hotel.objects.filter(id=hotel.id).delete()
    sql.run("DROP SCHEMA hotel_alpha CASCADE")
    told = restore(file)
    assert not told["keeps_id"]
    assert told["id"] != str(hotel.id)
