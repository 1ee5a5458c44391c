"""Tests that database triggers record the changed rows of tracked tables, whatever makes the change."""

import json
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from audit.entries import MAX_ENTRY_BYTES, entry
from audit.models import Event
from locks.webhooks.models import Webhook
from reminders.models import Rule, Template
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import ApiKey, Hotel, User
from tenants.scopes import Role
from tests import servers
from tests.audit.row_changes.changes import add_user, as_owner, changes_of, last_change

pytestmark = pytest.mark.django_db


def test_inserted_row_is_recorded_with_its_values(in_hotel: Hotel) -> None:
    user = add_user("rosa")
    event = last_change()
    ((key, before, after, changed),) = event.data["rows"]
    assert (event.event, event.data["table"], event.data["count"]) == ("rows.inserted", "tenants_user", 1)
    assert (key, before, len(after)) == (str(user.pk), None, 44)
    assert changed["role"] == [None, "front_desk"]
    assert (event.subject_kind, event.subject_id) == ("user", str(user.pk))


def test_updated_row_is_recorded_with_the_old_and_new_values_of_changed_columns(in_hotel: Hotel) -> None:
    user = add_user("rosa")
    inserted = last_change()
    user.role = Role.MANAGER
    user.save()
    event = last_change()
    ((_key, before, after, changed),) = event.data["rows"]
    assert (event.event, changed) == ("rows.updated", {"role": ["front_desk", "manager"]})
    assert before == inserted.data["rows"][0][2] != after
    assert event.personal is None


def test_event_of_the_first_change_of_a_row_by_raw_sql_contains_the_old_value(hotel: Hotel) -> None:
    """The row was inserted before this test, so the old value must be in the event of the change."""
    with hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute("UPDATE reminders_rule SET daily_limit = 3 WHERE offset_days = 7")
        assert last_change().data["rows"][0][3]["daily_limit"] == [None, 3]


def test_row_deleted_by_raw_sql_is_recorded_with_its_old_values(in_hotel: Hotel) -> None:
    user = add_user("rosa")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_user WHERE id = %s", [user.pk])
    event = last_change()
    ((key, before, after, changed),) = event.data["rows"]
    assert (event.event, key, len(before), after) == ("rows.deleted", str(user.pk), 44, None)
    assert changed["role"] == ["front_desk", None]


def test_event_of_a_bulk_update_lists_each_changed_row(in_hotel: Hotel) -> None:
    users = [add_user(f"user-{number}") for number in range(5)]
    User.objects.filter(pk__in=[user.pk for user in users]).update(role=Role.MANAGER)
    event = last_change("rows.updated")
    assert {row[0] for row in event.data["rows"]} == {str(user.pk) for user in users}
    assert event.data["count"] == 5
    assert event.subject_id == ""


def test_statement_that_changes_nothing_is_not_recorded(in_hotel: Hotel) -> None:
    user = add_user("rosa")
    count = Event.objects.count()
    User.objects.filter(pk=user.pk).update(role=F("role"), last_login="2030-05-01T12:00Z")
    User.objects.filter(username="nobody").update(role=Role.MANAGER)
    assert Event.objects.count() == count


@pytest.mark.django_db(transaction=True)
def test_truncated_table_is_recorded_with_all_rows(hotel: Hotel) -> None:
    with as_owner(hotel) as cursor:
        languages = sorted(Template.objects.values_list("language", flat=True))
        cursor.execute("TRUNCATE reminders_template")
        event = last_change("rows.deleted")
    assert sorted(row[3]["language"][0] for row in event.data["rows"]) == languages
    assert len(languages) >= 6


def test_change_of_a_primary_key_is_recorded_as_a_removed_and_an_added_row(in_hotel: Hotel) -> None:
    user = add_user("rosa")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_user SET id = gen_random_uuid() WHERE id = %s", [user.pk])
    rows = {row[0]: row for row in last_change("rows.updated").data["rows"]}
    new = next(key for key in rows if key != str(user.pk))
    assert [rows[str(user.pk)][2], rows[new][1]] == [None, None]
    assert rows[str(user.pk)][1] is not None
    assert rows[new][2] is not None


def test_rolled_back_change_is_not_recorded(in_hotel: Hotel) -> None:
    count = Event.objects.count()
    with transaction.atomic():
        add_user("rosa")
        assert Event.objects.count() == count + 1
        transaction.set_rollback(True)
    assert Event.objects.count() == count


def test_change_in_the_platform_is_recorded_in_the_trail_of_the_platform(platform: None) -> None:
    user = add_user("ada", role=Role.PLATFORM)
    assert last_change().subject_id == str(user.pk)


def test_secrets_are_masked_in_all_tracked_tables(in_hotel: Hotel) -> None:
    user = add_user("rosa")
    user.set_password("anderes-9")
    user.save()
    key, _text = api_keys.create(name="channel manager", scopes=["locks:read"])
    Webhook.objects.create(
        url="https://example.com/token-77", events=["hold.acquired"], encrypted_secret=b"s3cret"
    )
    text = json.dumps(
        [[event.data, event.personal] for event in Event.objects.filter(event__startswith="rows.")]
    )
    assert last_change("rows.updated").data["rows"][0][3] == {"password": ["********", "********"]}
    assert [
        word for word in ("md5$", user.password, "token-77", "s3cret", b"s3cret".hex()) if word in text
    ] == []
    assert ApiKey.objects.get(pk=key.pk).digest.hex() not in text
    assert "channel manager" in text


def test_personal_values_are_stored_apart_with_a_salt_for_each_row(in_hotel: Hotel) -> None:
    first, second = add_user("rosa"), add_user("ben", full_name="Ben Ito")
    User.objects.filter(pk__in=[first.pk, second.pk]).update(full_name="Ana")
    event = last_change()
    assert event.personal is not None
    assert event.personal[str(second.pk)]["value"] == {"full_name": ["Ben Ito", "Ana"]}
    assert len({stored["salt"] for stored in event.personal.values()}) == 2
    assert b"Ben Ito" not in entry(event)


def test_many_rows_are_split_into_events_of_limited_size(in_hotel: Hotel) -> None:
    User.objects.bulk_create(
        User(username=f"user-{number}", full_name="ñ" * 150, role=Role.FRONT_DESK) for number in range(1_000)
    )
    events = changes_of("tenants_user")
    assert sum(event.data["count"] for event in events) == 1_000
    assert len({row[0] for event in events for row in event.data["rows"]}) == 1_000
    assert len(events) > 5
    assert max(len(entry(event)) for event in events) <= MAX_ENTRY_BYTES


@pytest.mark.parametrize("character", ["x", "\x01", "ñ", '"'])
def test_long_values_are_cut_so_that_an_event_has_a_limited_size(in_hotel: Hotel, character: str) -> None:
    rule = Rule.objects.latest("id")
    template = Template.objects.create(
        rule=rule, language="fr", subject=character * 200, html="short", text=""
    )
    Template.objects.filter(pk=template.pk).update(html=character * 100_000, text=character * 100_000)
    event = last_change()
    changed = event.data["rows"][0][3]
    assert changed["html"][0] == "short"
    assert changed["html"][1].startswith(character * 100)
    assert changed["html"][1].endswith("…")
    assert len(entry(event)) <= MAX_ENTRY_BYTES


@pytest.fixture
def only_update(hotel: Hotel) -> Iterator[str]:
    """Create a login that may only read and change the staff accounts. Return the name of the login."""
    with psycopg.connect(_superuser_url(), autocommit=True) as superuser:
        superuser.execute("CREATE ROLE only_update LOGIN PASSWORD 'only'")
        superuser.execute(f"GRANT USAGE ON SCHEMA {hotel.schema} TO only_update")
        superuser.execute(f"GRANT SELECT, UPDATE ON {hotel.schema}.tenants_user TO only_update")
        try:
            yield "only_update"
        finally:
            superuser.execute("DROP OWNED BY only_update; DROP ROLE only_update")


_CONTROL = """
CREATE FUNCTION {schema}.control() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    IF session_user = '{owner}' THEN
        PERFORM set_config('search_path', '{schema},public', true);
        PERFORM public.audit_record(NULL, 'control', '', '', '{{}}');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER control AFTER UPDATE ON {schema}.tenants_user FOR EACH STATEMENT EXECUTE FUNCTION {schema}.control()
"""


@pytest.mark.pooler
@pytest.mark.django_db(transaction=True)
def test_change_by_any_role_is_recorded_with_and_without_the_pooler(hotel: Hotel, only_update: str) -> None:
    """The control is a trigger that records changes of the owner's session only. It misses the other changes."""
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with hotel_context(hotel):
        user = add_user("rosa")
    owner = psycopg.conninfo.conninfo_to_dict(settings.DATABASE_DIRECT_URL)["user"]
    with as_owner(hotel) as cursor:
        cursor.execute(_CONTROL.format(schema=hotel.schema, owner=owner))
    update = f"UPDATE {hotel.schema}.tenants_user SET language = '%s' WHERE id = '{user.pk}'"
    as_hotel = f"SET LOCAL ROLE {hotel.role}"
    others = (settings.DATABASE_DIRECT_URL,)
    with servers.PgBouncer(settings.DATABASE_URL, pool_size=1, other_urls=others) as bouncer:
        sessions = [
            (settings.DATABASE_DIRECT_URL, ""),
            (settings.DATABASE_URL, as_hotel),
            (bouncer.url, as_hotel),
            (bouncer.through(settings.DATABASE_DIRECT_URL), ""),
            (_superuser_url(), ""),
            (_superuser_url(), f"SET LOCAL ROLE {only_update}"),
            (_with_login(settings.DATABASE_URL, only_update, "only"), ""),
        ]
        for number, (url, role) in enumerate(sessions):
            with psycopg.connect(url, prepare_threshold=None) as session:
                session.execute(role or "SELECT 1")
                session.execute(update % f"l{number}")
    with hotel_context(hotel):
        changes = changes_of("tenants_user")[-len(sessions) :]
        languages = [event.data["rows"][0][3]["language"][1] for event in changes]
        controls = Event.objects.filter(event="control").count()
    assert languages == [f"l{number}" for number in range(len(sessions))]
    assert controls == 2
    assert {event.actor_kind for event in changes} == {"database"}
    assert [changes[number].actor_id for number in (0, 6)] == [owner, only_update]
    assert [changes[number].data["role"] for number in (0, 1, 5)] == ["none", hotel.role, only_update]


@pytest.mark.django_db(transaction=True)
def test_digest_of_a_row_does_not_depend_on_the_settings_of_the_session(hotel: Hotel) -> None:
    with hotel_context(hotel):
        user = add_user("núria", full_name="Núria Peña", deactivated_at="2030-05-01T12:00Z")
    digests, times = set(), set()
    for settings_sql in (
        "SELECT 1",
        "SET client_encoding TO 'LATIN1'; SET TimeZone TO 'Asia/Kolkata'; SET DateStyle TO 'German'",
        "SET bytea_output TO 'escape'; SET IntervalStyle TO 'sql_standard'; SET search_path TO pg_temp",
    ):
        with psycopg.connect(settings.DATABASE_DIRECT_URL) as session:
            session.execute(settings_sql)
            before = session.execute(
                "SELECT current_setting('TimeZone'), current_setting('search_path')"
            ).fetchone()
            session.execute(f"UPDATE {hotel.schema}.tenants_user SET language = 'x' WHERE id = '{user.pk}'")
            session.execute(
                f"UPDATE {hotel.schema}.tenants_user SET language = '', deactivated_at = NULL WHERE id = '{user.pk}'"
            )
            session.execute(
                f"UPDATE {hotel.schema}.tenants_user SET deactivated_at = '2030-05-01T12:00Z' WHERE id = '{user.pk}'"
            )
            after = session.execute(
                "SELECT current_setting('TimeZone'), current_setting('search_path')"
            ).fetchone()
            assert after == before
        with hotel_context(hotel):
            ((_key, _before, digest, changed),) = last_change().data["rows"]
        digests.add(digest)
        times.add(changed["deactivated_at"][1])
    assert len(digests) == 1
    assert times == {"2030-05-01T12:00:00+00:00"}


def _superuser_url() -> str:
    database = psycopg.conninfo.conninfo_to_dict(settings.DATABASE_DIRECT_URL)["dbname"]
    return servers.with_database(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], str(database))


def _with_login(url: str, user: str, password: str) -> str:
    values: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(url)
    return psycopg.conninfo.make_conninfo("", **{**values, "user": user, "password": password})
