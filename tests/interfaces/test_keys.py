"""Tests of API keys: authentication, scopes, expiry, and the command that creates them."""

import datetime
import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from audit.reading.search import timeline
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.errors import InvalidScope
from tenants.models import ApiKey, Hotel
from tenants.signals import permission_denied
from tests.interfaces.conftest import HOST, OTHER_HOST

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("urls_of_test_views")]
THING = "/api/v1/thing/"


def test_api_key_with_the_required_scope_is_accepted_and_becomes_the_actor(
    hotel: Hotel, client_with: Callable[..., APIClient]
) -> None:
    response = client_with(hotel, "rooms:read").get(THING)
    assert response.status_code == 200
    assert response.json()["actor"] == "key"
    assert response.json()["label"].startswith("a client (")


def test_api_key_of_another_hotel_is_not_authenticated(
    hotel: Hotel, client_with: Callable[..., APIClient]
) -> None:
    response = client_with(hotel, "rooms:read", host=OTHER_HOST).get(THING)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="hotelagent"'


def test_platform_api_key_is_not_authenticated_on_a_hotel_host(hotel: Hotel) -> None:
    with platform_context():
        _key, text = api_keys.create(name="x", scopes=["staff:read"])
    client = APIClient(SERVER_NAME=HOST)
    assert client.get("/api/v1/people/", headers={"Authorization": f"Bearer {text}"}).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["Bearer x", "Bearer ha_", "Bearer ha_abc", "Bearer ha_abc_def", "Bearer ha_a\x00b_c", "Bearer ", "Bearer ñ_ñ_ñ",
     "Bearer ha_" + "a" * 10 + "_" + "b" * 500],
)  # fmt: skip
def test_malformed_api_key_is_not_authenticated(hotel: Hotel, header: str) -> None:
    response = APIClient(SERVER_NAME=HOST).get(THING, headers={"Authorization": header})
    assert response.status_code == 401
    assert response.json()["type"] == "/problems/unauthenticated"
    assert "WWW-Authenticate" in response


def test_request_without_credentials_is_not_authenticated(hotel: Hotel) -> None:
    response = APIClient(SERVER_NAME=HOST).get(THING)
    assert response.status_code == 401
    assert "WWW-Authenticate" in response


def test_api_key_with_a_wrong_secret_is_not_verified(in_hotel: Hotel) -> None:
    key, text = api_keys.create(name="x", scopes=["rooms:read"])
    assert api_keys.verify(text) == key
    assert api_keys.verify(text[:-1] + ("a" if text[-1] != "a" else "b")) is None


def test_api_key_without_the_required_scope_gets_403_with_the_scope(
    hotel: Hotel, client_with: Callable[..., APIClient]
) -> None:
    response = client_with(hotel, "rooms:read").post(THING, {"number": 1})
    assert response.status_code == 403
    assert response.json()["required_scope"] == "rooms:write"


def test_expired_or_revoked_api_key_is_not_verified(in_hotel: Hotel) -> None:
    key, text = api_keys.create(
        name="x", scopes=["rooms:read"], expires_at=timezone.now() + datetime.timedelta(hours=1)
    )
    assert api_keys.verify(text) == key
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert api_keys.verify(text) is None
    ApiKey.objects.filter(pk=key.pk).update(expires_at=None)
    assert api_keys.revoke(key) is True
    assert api_keys.revoke(key) is False
    assert api_keys.verify(text) is None


def test_verification_of_an_api_key_runs_one_query_that_uses_the_index(in_hotel: Hotel) -> None:
    _key, text = api_keys.create(name="x", scopes=["rooms:read"])
    with CaptureQueriesContext(connection) as queries:
        api_keys.verify(text)
    assert len(queries) == 1
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT * FROM tenants_apikey WHERE prefix = 'x'")
        assert "tenants_apikey_prefix" in str(cursor.fetchall())


def test_secret_of_a_created_api_key_is_not_stored(in_hotel: Hotel) -> None:
    key, text = api_keys.create(name="x", scopes=["rooms:read"])
    secret = text.split("_", 2)[2]
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(k)::text FROM tenants_apikey k WHERE id = %s", [key.pk])
        assert secret not in cursor.fetchone()[0]


def test_use_of_an_api_key_is_recorded_at_most_once_a_minute(in_hotel: Hotel) -> None:
    key, text = api_keys.create(name="x", scopes=["rooms:read"])
    api_keys.record_use(key)
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    with CaptureQueriesContext(connection) as queries:
        api_keys.record_use(key)
    assert len(queries) == 0
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=first - datetime.timedelta(seconds=61))
    stale = api_keys.verify(text)
    assert stale is not None
    api_keys.record_use(stale)
    stale.refresh_from_db()
    assert stale.last_used_at is not None
    assert stale.last_used_at >= first


def test_new_api_key_with_unknown_or_no_scopes_raises_invalid_scope(in_hotel: Hotel) -> None:
    with pytest.raises(InvalidScope):
        api_keys.create(name="x", scopes=["hotels:write"])  # a scope of the platform
    with pytest.raises(InvalidScope):
        api_keys.create(name="x", scopes=[])


def test_command_create_api_key_creates_a_working_key(hotel: Hotel) -> None:
    out = StringIO()
    call_command(
        "create_api_key", "--hotel", "alpha", "--name", "engine", "--scope", "rooms:read", "--scope", "locks:write",
        "--expires", "12h", "--json", stdout=out,
    )  # fmt: skip
    created = json.loads(out.getvalue())
    assert created["scopes"] == ["locks:write", "rooms:read"]
    response = APIClient(SERVER_NAME=HOST).get(THING, headers={"Authorization": f"Bearer {created['key']}"})
    assert response.status_code == 200


def test_command_create_api_key_with_the_option_platform_creates_a_platform_key(hotel: Hotel) -> None:
    out = StringIO()
    call_command(
        "create_api_key", "--platform", "--name", "x", "--scope", "hotels:read", stdout=out, stderr=StringIO()
    )
    client = APIClient(SERVER_NAME="localhost")
    response = client.get("/api/v1/hotels/", headers={"Authorization": f"Bearer {out.getvalue().strip()}"})
    assert response.status_code == 200
    assert {row["slug"] for row in response.json()["results"]} >= {"alpha", "beta"}


def test_command_create_api_key_is_the_actor_of_its_audit_event(hotel: Hotel) -> None:
    call_command(
        "create_api_key", "--hotel", "alpha", "--name", "x", "--scope", "rooms:read", stdout=StringIO()
    )
    with hotel_context(hotel):
        created = timeline(kind="api_key", identifier=ApiKey.objects.get().id)
        event = created.get(event="api_key.created")
    assert (event.actor_kind, event.actor_id) == ("command", "create_api_key")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hotel", "nowhere", "--scope", "rooms:read"], "no hotel nowhere"),
        (["--hotel", "alpha", "--scope", "rooms:paint"], "rooms:write"),
        (["--hotel", "alpha", "--scope", "rooms:read", "--expires", "soon"], "90d"),
        (["--hotel", "alpha", "--scope", "rooms:read", "--expires", "2001-01-01"], "is in the past"),
    ],
)
def test_command_create_api_key_with_a_wrong_argument_exits_with_code_2(
    hotel: Hotel, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message) as error:
        call_command("create_api_key", "--name", "x", *arguments)
    assert error.value.returncode == 2
    with hotel_context(hotel):
        assert not ApiKey.objects.exists()


def test_request_without_the_required_scope_sends_the_permission_denied_signal(
    hotel: Hotel, client_with: Callable[..., APIClient]
) -> None:
    signals: list[dict[str, Any]] = []

    def record(**kwargs: Any) -> None:
        signals.append(kwargs)

    permission_denied.connect(record)
    try:
        client_with(hotel, "rooms:read").post(THING, {"number": 1})
    finally:
        permission_denied.disconnect(record)
    assert [signal["permission"] for signal in signals] == ["rooms:write"]
