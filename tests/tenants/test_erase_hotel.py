"""Erasing a hotel: all of it or nothing, and shown to be all."""

import json
import sys
import threading
from io import StringIO
from typing import Any
from unittest import mock

import pytest
import redis
from django.core.cache import cache
from django.core.management import CommandError, call_command

from audit.models import Event
from hotelagent.core.ids import uuid7
from tenants import host_routing, services
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.errors import DeletionConflict, HotelNotFound, MigrationConflict, RedisUnavailable
from tenants.lifecycle import deletion
from tenants.lifecycle.fleet import migration_lock
from tenants.models import ContactIdentifier, Domain, DueItem, Hotel, User
from tenants.signals import hotel_deleted
from tests.tenants import sql
from tests.tenants.killing import kill_where_it_waits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sol() -> Hotel:
    """A suspended hotel that has something everywhere."""
    hotel = services.create_hotel(slug="sol", name="Sol", domains=["sol.example"])
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role="manager")
        cache.set("note", "Ana's")
    with platform_context():
        ContactIdentifier.objects.create(hotel=hotel, kind="email", value="guest@example.com")
    sql.run(
        "INSERT INTO tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims) "
        f"VALUES ('{hotel.id}', 'hold', '{uuid7()}', now(), now(), 0)"
    )
    return services.suspend_hotel(hotel_id=hotel.id)


def erase(**options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("erase_hotel", "sol", json=True, stdout=out, **options)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def is_whole(hotel: Hotel) -> bool:
    with platform_context():
        return (
            hotel.schema in sql.schemas()
            and hotel.role in sql.hotel_roles()
            and Hotel.objects.filter(id=hotel.id, status="suspended").exists()
            and ContactIdentifier.objects.filter(hotel=hotel).exists()
            and not Event.objects.filter(event="hotel.deleted").exists()
        )


def test_nothing_is_left(sol: Hotel, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"throttle:{sol.schema}:0123", "1")
        client.set("throttle:hotel_alpha:0123", "1")
        told = erase(confirm="sol")
        assert client.keys(f"*{sol.id}*") == client.keys(f"*{sol.schema}*") == []
        assert client.exists("throttle:hotel_alpha:0123")
    assert sol.schema not in sql.schemas()
    assert sol.role not in sql.hotel_roles()
    with platform_context():
        for model in (DueItem, ContactIdentifier, Domain):
            assert not model.objects.filter(hotel_id=sol.id).exists()
        assert set(Hotel.objects.values_list("slug", flat=True)) == {"alpha", "beta"}
    assert host_routing.resolve("sol.localhost") is None
    assert told["tables"]["tenants_user"] == 1
    assert told["shared"] == {"tenants_contactidentifier": 1, "tenants_domain": 1, "tenants_dueitem": 1}
    assert told["redis_keys"] == 2


def test_the_platforms_trail_keeps_a_certificate_without_personal_data(sol: Hotel) -> None:
    told = erase(confirm="sol")
    with platform_context():
        event = Event.objects.get(event="hotel.deleted")
    assert (event.actor_kind, event.actor_label) == ("command", "erase_hotel")
    assert (event.subject_kind, event.subject_id) == ("hotel", str(sol.id))
    assert event.data == {"slug": "sol", "detail": told}
    assert "guest@" not in json.dumps(event.data)
    assert "ana" not in json.dumps(event.data)
    assert event.sentence.endswith("erased the hotel sol")


def test_the_slug_is_free_again(sol: Hotel) -> None:
    erase(confirm="sol")
    assert services.create_hotel(slug="sol", name="Another").schema == "hotel_sol"


def test_an_open_hotel_is_refused(sol: Hotel) -> None:
    services.resume_hotel(hotel_id=sol.id)
    with pytest.raises(CommandError, match="suspend_hotel sol"):
        erase(confirm="sol")
    assert host_routing.resolve("sol.localhost") is not None


@pytest.mark.parametrize("said", ["", "SOL", "sol ", "alpha"])
def test_another_slug_is_refused(sol: Hotel, said: str) -> None:
    with pytest.raises(CommandError, match="is not the slug 'sol'"):
        erase(confirm=said)
    assert is_whole(sol)


def test_a_script_must_confirm(sol: Hotel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO())
    with pytest.raises(CommandError, match="--confirm sol") as caught:
        erase()
    assert caught.value.returncode == 2
    assert is_whole(sol)


def test_a_person_is_asked(sol: Hotel, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = mock.Mock(isatty=lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr("builtins.input", lambda _question: "sol")
    assert erase()["slug"] == "sol"


def test_an_unknown_hotel_is_an_error() -> None:
    with pytest.raises(CommandError, match="no hotel"):
        erase(confirm="sol")
    with pytest.raises(HotelNotFound):
        deletion.delete_hotel(hotel_id=uuid7(), confirm="sol")


def test_a_hotel_that_is_in_a_copy_of_the_database_too_is_refused() -> None:
    """Every worker's database is a copy of the same one, so alpha is in the template as well."""
    with platform_context():
        alpha = services.suspend_hotel(hotel_id=Hotel.objects.get(slug="alpha").id)
    with pytest.raises(DeletionConflict, match="other databases") as caught:
        deletion.delete_hotel(hotel_id=alpha.id, confirm="alpha")
    assert caught.value.extra["databases"]
    assert "hotel_alpha" in sql.schemas()


def test_it_waits_for_no_migration_and_disturbs_none(sol: Hotel) -> None:
    caught: list[BaseException] = []

    def erase_it() -> None:
        try:
            deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
        except MigrationConflict as error:
            caught.append(error)

    with direct_connection(), platform_context(), migration_lock.hold_migration_lock():
        thread = threading.Thread(target=erase_it)
        thread.start()
        thread.join()
    assert caught
    assert is_whole(sol)


def test_redis_away_leaves_the_hotel_as_it_is(sol: Hotel, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(RedisUnavailable):
        deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
    assert is_whole(sol)


def test_a_trail_that_can_not_be_written_leaves_the_hotel_as_it_is(sol: Hotel) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("no trail")

    hotel_deleted.connect(refuse)
    try:
        with pytest.raises(RuntimeError, match="no trail"):
            deletion.delete_hotel(hotel_id=sol.id, confirm="sol")
    finally:
        hotel_deleted.disconnect(refuse)
    assert is_whole(sol)


def test_the_proof_finds_what_is_left(sol: Hotel) -> None:
    """Asked before anything is erased, it must find everything."""
    certificate = deletion.DeletionCertificate(
        hotel_id=str(sol.id), slug="sol", schema=sol.schema, role=sol.role, tables={}, shared={}, redis_keys=0
    )
    with direct_connection(), platform_context():
        assert deletion.find_remaining_data(certificate) == [
            "the schema hotel_sol",
            f"the role {sol.role}",
            "its row in tenants_hotel",
            "1 rows in tenants_contactidentifier",
            "1 rows in tenants_domain",
            "1 rows in tenants_dueitem",
            "1 keys in Redis",
        ]


def test_killed_in_the_middle_it_can_be_run_again(sol: Hotel) -> None:
    """It waits, for a row that another holds, when most is removed; there it gets kill -9."""
    kill_where_it_waits(
        "erase_hotel", "sol", "--confirm", "sol",
        lock=f"SELECT FROM tenants_contactidentifier WHERE hotel_id = '{sol.id}' FOR UPDATE",
    )  # fmt: skip
    assert is_whole(sol)
    assert erase(confirm="sol")["slug"] == "sol"
