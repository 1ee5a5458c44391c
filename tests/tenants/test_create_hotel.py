"""Making a hotel: whole or not at all."""

import threading
from typing import Any
from uuid import uuid4

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
from tenants.signals import hotel_created
from tests.tenants import sql

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_answers_when_the_service_returns() -> None:
    hotel = services.create_hotel(slug="Sol", name="Hotel Sol", domains=["Hotel-Sol.example."])
    assert hotel.status == HotelStatus.ACTIVE
    assert host_routing.resolve("sol.localhost") == hotel.tenant
    assert host_routing.resolve("hotel-sol.example") == hotel.tenant
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role="manager")
        assert User.objects.count() == 1


def test_a_replayed_schema_is_a_migrated_one_to_the_letter() -> None:
    hotel = services.create_hotel(slug="replayed", name="Replayed")
    migrated = Hotel(slug="migrated", name="Migrated", schema="hotel_migrated", status=HotelStatus.ACTIVE)
    with direct_connection(), platform_context():
        migrated.save()
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA hotel_migrated")
        with hotel_context(migrated), connection.cursor() as cursor:
            cursor.execute(schema_template.MIGRATIONS_TABLE)
        SchemaMigrator(migrated.tenant).migrate(migrated.tenant)
    assert sql.dump(hotel.schema) == sql.dump("hotel_migrated")


def test_the_dump_that_the_comparison_rests_on_sees_a_difference() -> None:
    hotel = services.create_hotel(slug="one", name="One")
    other = services.create_hotel(slug="other", name="Other")
    assert sql.dump(hotel.schema) == sql.dump(other.schema)
    sql.run(f"ALTER TABLE {other.schema}.tenants_user ALTER COLUMN email DROP NOT NULL")
    assert sql.dump(hotel.schema) != sql.dump(other.schema)


@pytest.mark.parametrize(
    "slug",
    ["", "a" * 41, "admin", "WWW", "api", "platform", "mail", "localhost", "template", "-a", "a-", "a_b", "a b",
     'a"b', "a'b", "a;b", "ñ", "xn--hotel", "a.b", "public"],
)  # fmt: skip
def test_it_refuses_a_slug_that_can_not_be_a_host_name(slug: str) -> None:
    before = sql.schemas()
    with pytest.raises(InvalidSlug):
        services.create_hotel(slug=slug, name="X")
    assert sql.schemas() == before


def test_it_refuses_a_slug_that_differs_only_in_case() -> None:
    with pytest.raises(SlugConflict):
        services.create_hotel(slug="ALPHA", name="X")


@pytest.mark.parametrize(
    "host", ["sol", "a b.example", "-a.example", "evil.localhost", "10.0.0.1", "a..example", "a'.example"]
)
def test_it_refuses_a_domain_that_can_not_be_a_hotels(host: str) -> None:
    with pytest.raises(InvalidDomain):
        services.create_hotel(slug="sol", name="X", domains=[host])


def test_a_taken_domain_leaves_nothing_of_the_hotel() -> None:
    services.create_hotel(slug="first", name="First", domains=["inn.example"])
    before = sql.schemas()
    with pytest.raises(DomainConflict):
        services.create_hotel(slug="second", name="Second", domains=["INN.example"])
    assert sql.schemas() == before
    with platform_context():
        assert not Hotel.objects.filter(slug="second").exists()


def test_two_slugs_that_make_the_same_schema_name_get_two_schemas() -> None:
    a = services.create_hotel(slug="a-b", name="A")
    services.rename_hotel(hotel_id=a.id, slug="c")
    b = services.create_hotel(slug="a-b", name="B")
    assert (a.schema, b.schema) == ("hotel_a_b", "hotel_a_b_2")


def test_a_failure_leaves_nothing_and_can_be_tried_again() -> None:
    roles = []

    def fail(*, hotel: Hotel, **_: Any) -> None:
        roles.append(hotel.role)
        raise ValueError("no luck")

    before = sql.schemas()
    hotel_created.connect(fail)
    try:
        with pytest.raises(ValueError, match="no luck"):
            services.create_hotel(slug="sol", name="Sol")
    finally:
        hotel_created.disconnect(fail)
    assert sql.schemas() == before
    assert not sql.hotel_roles() & set(roles)
    assert host_routing.resolve("sol.localhost") is None
    assert services.create_hotel(slug="sol", name="Sol").status == HotelStatus.ACTIVE


def test_a_database_error_is_told_as_a_failure_to_provision() -> None:
    sql.run("UPDATE tenants_schematemplate SET script = 'SELECT nonsense;'")
    with pytest.raises(ProvisioningFailed, match="nonsense"):
        services.create_hotel(slug="sol", name="Sol")


def test_without_a_template_it_says_to_migrate() -> None:
    sql.run("DELETE FROM tenants_schematemplate")
    with pytest.raises(SchemaTemplateNotFound, match="migrate"):
        services.create_hotel(slug="sol", name="Sol")


def test_a_registered_hotel_is_not_routed_before_it_is_provisioned() -> None:
    with platform_context():
        hotel = Hotel.objects.create(slug="sol", name="Sol", schema="hotel_sol")
    assert host_routing.resolve("sol.localhost") is None
    provisioning.provision_hotel(hotel.id)
    assert host_routing.resolve("sol.localhost") is not None


def test_provisioning_twice_at_once_makes_one_hotel() -> None:
    with platform_context():
        hotel = Hotel.objects.create(slug="sol", name="Sol", schema="hotel_sol")
    barrier, results = threading.Barrier(2), []

    def make() -> None:
        barrier.wait()
        results.append(provisioning.provision_hotel(hotel.id).status)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["active", "active"]


def test_text_in_template_data_that_looks_like_the_schema_stays_as_it_is() -> None:
    row = "('tenants', 'hotel_template', now())"
    sql.run(f"INSERT INTO hotel_template.django_migrations (app, name, applied) VALUES {row}")
    with direct_connection(), platform_context():
        schema_template.store_script(str(uuid4()).replace("-", ""))
    hotel = services.create_hotel(slug="sol", name="Sol")
    found = sql.ask(f"SELECT name FROM {hotel.schema}.django_migrations WHERE name LIKE 'hotel%'")
    assert found == [("hotel_template",)]


def test_it_counts_the_relations_of_a_hotel(hotel: Hotel, capsys: pytest.CaptureFixture[str]) -> None:
    tables, indexes, sequences = sql.relations_of(hotel.schema)
    with capsys.disabled():
        print(f"\nrelations of a hotel: {tables} tables, {indexes} indexes, {sequences} sequences")
    assert tables + indexes + sequences <= sql.RELATIONS
