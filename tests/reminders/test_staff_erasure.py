"""Test that the erasure of a member of staff covers all tables, also those that are not about staff."""

from uuid import UUID

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from audit.publishing.auditors import change_auditor
from audit.reading.models import SavedSearch
from audit.reading.saved_searches import save_search
from dlq.redrives import progress
from dlq.redrives import services as redrives
from dlq.redrives.models import Redrive
from dlq.redrives.services import RedriveOptions
from dlq.retention.models import FailureSettings
from dlq.retention.settings import change_settings
from dlq.selection import FailureSelection
from hotelagent.core.ids import uuid7
from reminders.file_imports import services as file_imports
from reminders.models import FileImport
from reminders.models.file_imports import ImportKind
from tenants.context import PLATFORM, Actor, Tenant, actor_context, context_of
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.dlq.conftest import capture_failure

pytestmark = pytest.mark.django_db

TRACES = ("rosa", "192.0.2.7", "lynx")


def tables_with_traces() -> set[str]:
    """Return the tables of the current tenant and the shared tables that contain the person's name or address."""
    found = set()
    with connection.cursor() as cursor:
        for model in apps.get_models():
            table = model._meta.db_table
            cursor.execute("SELECT to_regclass(%s)", [table])
            if cursor.fetchone()[0] is None or not may_read(table):
                continue
            cursor.execute(f'SELECT lower(to_jsonb(r)::text) FROM "{table}" AS r')
            if any(trace in text for (text,) in cursor.fetchall() for trace in TRACES):
                found.add(table)
    return found


def may_read(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(%s, 'SELECT')", [table])
        return bool(cursor.fetchone()[0])


def act_as(person: Actor, tenant: Tenant) -> None:
    with actor_context(person):
        redrives.start(selection=FailureSelection(), options=RedriveOptions())
        change_settings(alert_recipients=["Rosa@diaz.example", "ops@hotel.example"])
        change_auditor(email="Rosa@diaz.example", language="en")
        save_search(user_id=UUID(person.id), name="Rosa", query="event=hold.acquired")
        save_search(user_id=uuid7(), name="Manager", query="text=ROSA%40diaz.example")
        save_search(user_id=uuid7(), name="Kept", query="event=hold.acquired")
        if tenant.id is not None:
            file_imports.upload_file(
                kind=ImportKind.ROOMS,
                name="rooms.csv",
                content=b"number,type,floor,capacity\n101,double,1,2\n",
            )


@pytest.mark.parametrize("is_platform", [False, True])
def test_erasure_of_a_member_of_staff_leaves_no_name_in_any_table(hotel: Hotel, is_platform: bool) -> None:
    tenant = PLATFORM if is_platform else hotel.tenant
    with context_of(tenant):
        user = User.objects.create_user(
            username="rosa.diaz",
            password=None,
            role=Role.MANAGER,
            full_name="Rosa",
            email="rosa@diaz.example",
        )
        capture_failure(room="1", retry=False)
        person = Actor("user", str(user.pk), "rosa.diaz", "192.0.2.7", user_agent="Lynx")
        act_as(person, tenant)
        other = Actor("user", "8", "ben", initiator=None)
        with actor_context(other):
            kept = redrives.start(selection=FailureSelection(), options=RedriveOptions())
        before = tables_with_traces()
    arguments = ["--platform"] if is_platform else ["--hotel", hotel.slug]
    call_command("erase_staff", "rosa.diaz", *arguments, "--yes")
    with context_of(tenant):
        assert before >= {
            "tenants_user",
            "audit_event",
            "audit_auditor",
            "audit_savedsearch",
            "dlq_redrive",
            "dlq_failuresettings",
        }
        assert ("reminders_fileimport" in before) is not is_platform
        assert tables_with_traces() == set()
        first, second = Redrive.objects.order_by("id")
        assert (first.actor["id"], first.actor_label) == (str(user.pk), str(user.pk))
        assert (second.id, second.actor_label) == (kept.id, "ben")
        assert [search.name for search in SavedSearch.objects.all()] == ["Kept"]
        assert FailureSettings.objects.read().alert_recipients == ["ops@hotel.example"]
        progress.advance(redrive_id=first.id)
        assert tables_with_traces() == set()
        if not is_platform:
            assert FileImport.objects.get().staff_id == str(user.pk)
