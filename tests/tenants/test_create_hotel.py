"""Tests that a hotel is created completely or not at all."""

import threading
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from tenants import host_routing, services
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.errors import (
    DomainConflict,
    InvalidDomain,
    InvalidSlug,
    ProvisioningFailed,
    SchemaTemplateNotFound,
    SlugConflict,
)
from tenants.lifecycle import provisioning, schema_template
from tenants.lifecycle.fleet.schema_migrator import SchemaMigrator
from tenants.models import Hotel, HotelStatus, User
from tenants.models.hotels import role_name
from tenants.signals import hotel_created
from tests.tenants import sql

pytestmark = pytest.mark.django_db(transaction=True)


def test_new_hotel_is_active_and_can_be_reached_at_its_hosts() -> None:
    hotel = services.create_hotel(slug="Sol", name="Hotel Sol", domains=["Hotel-Sol.example."])
    assert hotel.status == HotelStatus.ACTIVE
    assert host_routing.resolve("sol.localhost") == hotel.tenant
    assert host_routing.resolve("hotel-sol.example") == hotel.tenant
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role="manager")
        assert User.objects.count() == 1


def test_schema_provisioned_from_the_template_equals_a_schema_created_by_migrations() -> None:
    hotel = services.create_hotel(slug="provisioned", name="Provisioned")
    migrated = Hotel(slug="migrated", name="Migrated", schema="hotel_migrated", status=HotelStatus.ACTIVE)
    with direct_connection(), platform_context():
        migrated.save()
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA hotel_migrated")
        with hotel_context(migrated), connection.cursor() as cursor:
            cursor.execute(schema_template.MIGRATIONS_TABLE)
        SchemaMigrator(migrated.tenant).migrate(migrated.tenant)
    assert sql.dump_schema(hotel.schema) == sql.dump_schema("hotel_migrated")


def test_dumps_of_two_different_schemas_differ() -> None:
    hotel = services.create_hotel(slug="one", name="One")
    other = services.create_hotel(slug="other", name="Other")
    assert sql.dump_schema(hotel.schema) == sql.dump_schema(other.schema)
    sql.execute(f"ALTER TABLE {other.schema}.tenants_user ALTER COLUMN email DROP NOT NULL")
    assert sql.dump_schema(hotel.schema) != sql.dump_schema(other.schema)


@pytest.mark.parametrize(
    "slug",
    ["", "a" * 41, "admin", "WWW", "api", "platform", "mail", "localhost", "template", "-a", "a-", "a_b", "a b",
     'a"b', "a'b", "a;b", "ñ", "xn--hotel", "a.b", "public"],
)  # fmt: skip
def test_create_hotel_with_an_invalid_or_reserved_slug_raises_invalid_slug(slug: str) -> None:
    before = sql.list_schemas()
    with pytest.raises(InvalidSlug):
        services.create_hotel(slug=slug, name="X")
    assert sql.list_schemas() == before


def test_create_hotel_with_a_used_slug_in_uppercase_raises_slug_conflict() -> None:
    with pytest.raises(SlugConflict):
        services.create_hotel(slug="ALPHA", name="X")


@pytest.mark.parametrize(
    "host",
    [
        "sol",
        "a b.example",
        "-a.example",
        "evil.localhost",
        "10.0.0.1",
        "a..example",
        "a'.example",
        "☃.example",
    ],
)
def test_create_hotel_with_an_invalid_domain_raises_invalid_domain(host: str) -> None:
    with pytest.raises(InvalidDomain):
        services.create_hotel(slug="sol", name="X", domains=[host])


def test_new_hotel_keeps_the_letters_of_an_internationalized_domain() -> None:
    hotel = services.create_hotel(slug="sol", name="X", domains=["Faß.example.", "bücher.example"])
    with platform_context():
        assert set(hotel.domains.values_list("host", flat=True)) == {
            "xn--fa-hia.example",
            "xn--bcher-kva.example",
        }


def test_create_hotel_with_a_domain_in_use_leaves_nothing_behind() -> None:
    services.create_hotel(slug="first", name="First", domains=["inn.example"])
    before = sql.list_schemas()
    with pytest.raises(DomainConflict):
        services.create_hotel(slug="second", name="Second", domains=["INN.example"])
    assert sql.list_schemas() == before
    with platform_context():
        assert not Hotel.objects.filter(slug="second").exists()


def test_create_hotel_appends_a_number_to_a_used_schema_name() -> None:
    a = services.create_hotel(slug="a-b", name="A")
    services.rename_hotel(hotel_id=a.id, slug="c")
    b = services.create_hotel(slug="a-b", name="B")
    assert (a.schema, b.schema) == ("hotel_a_b", "hotel_a_b_2")


def test_create_hotel_that_fails_leaves_nothing_behind_and_can_be_repeated() -> None:
    roles = []

    def fail(*, hotel: Hotel, **_: Any) -> None:
        roles.append(hotel.role)
        raise ValueError("receiver failed")

    before = sql.list_schemas()
    hotel_created.connect(fail)
    try:
        with pytest.raises(ValueError, match="receiver failed"):
            services.create_hotel(slug="sol", name="Sol")
    finally:
        hotel_created.disconnect(fail)
    assert sql.list_schemas() == before
    assert not sql.list_hotel_roles() & set(roles)
    assert host_routing.resolve("sol.localhost") is None
    assert services.create_hotel(slug="sol", name="Sol").status == HotelStatus.ACTIVE


def test_create_hotel_with_a_database_error_raises_provisioning_failed() -> None:
    sql.execute("UPDATE tenants_schematemplate SET before = 'SELECT nonsense;'")
    with pytest.raises(ProvisioningFailed, match="nonsense"):
        services.create_hotel(slug="sol", name="Sol")


def test_create_hotel_without_a_schema_template_fails_and_names_migrate() -> None:
    sql.execute("DELETE FROM tenants_schematemplate")
    with pytest.raises(SchemaTemplateNotFound, match="migrate"):
        services.create_hotel(slug="sol", name="Sol")


def test_registered_hotel_is_routed_only_after_provisioning() -> None:
    with platform_context():
        hotel = Hotel.objects.create(slug="sol", name="Sol", schema="hotel_sol")
    assert host_routing.resolve("sol.localhost") is None
    provisioning.provision_hotel(hotel.id)
    assert host_routing.resolve("sol.localhost") is not None


def test_concurrent_calls_to_provision_hotel_create_one_hotel() -> None:
    with platform_context():
        hotel = Hotel.objects.create(slug="sol", name="Sol", schema="hotel_sol")
    barrier, results = threading.Barrier(2), []

    def provision() -> None:
        barrier.wait()
        results.append(provisioning.provision_hotel(hotel.id).status)

    threads = [threading.Thread(target=provision) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["active", "active"]


def test_create_hotel_copies_a_row_that_contains_the_template_schema_name_unchanged() -> None:
    row = "('tenants', 'hotel_template', now())"
    sql.execute(f"INSERT INTO hotel_template.django_migrations (app, name, applied) VALUES {row}")
    with direct_connection(), platform_context():
        schema_template.store_script()
    hotel = services.create_hotel(slug="sol", name="Sol")
    names = sql.query(f"SELECT name FROM {hotel.schema}.django_migrations WHERE name LIKE 'hotel%'")
    assert names == [("hotel_template",)]


def _list_memberships(hotel_ids: list[UUID]) -> set[tuple[Any, ...]]:
    """Return the role memberships of the given hotels only, because other tests create roles at the same time."""
    names = [role_name(hotel_id) for hotel_id in hotel_ids]
    return set(
        sql.query(
            "SELECT m.xmin::text, m.roleid, m.member FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
            " WHERE r.rolname = ANY(%s)", names
        )
    )  # fmt: skip


def _list_spare_roles() -> list[UUID]:
    return [row[0] for row in sql.query("SELECT hotel_id FROM tenants_sparerole ORDER BY 1")]


def test_second_new_hotel_uses_a_spare_role_and_changes_no_role_memberships() -> None:
    services.create_hotel(slug="first", name="First")
    spare = _list_spare_roles()
    memberships = _list_memberships(spare)
    assert memberships
    second = services.create_hotel(slug="second", name="Second")
    assert second.id == spare[0]
    assert _list_memberships(spare) == memberships
    with hotel_context(second):
        assert not User.objects.exists()


def test_spare_role_of_a_failed_hotel_creation_is_used_for_the_next_hotel() -> None:
    services.create_hotel(slug="first", name="First")
    spare = _list_spare_roles()
    with pytest.raises(InvalidDomain):
        services.create_hotel(slug="second", name="Second", domains=["not a domain"])
    assert _list_spare_roles() == spare
    assert services.create_hotel(slug="second", name="Second").id == spare[0]


def test_copied_database_does_not_use_spare_roles_of_the_original_database() -> None:
    services.create_hotel(slug="first", name="First")
    sql.execute("UPDATE tenants_sparerole SET database = 1")
    copied = _list_spare_roles()
    assert services.create_hotel(slug="second", name="Second").id not in copied
    assert not set(_list_spare_roles()) & set(copied)
