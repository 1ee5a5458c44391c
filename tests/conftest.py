"""The fixtures every app's tests use. Real servers: each worker has a copy of one migrated database."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connections
from django.test import Client, TransactionTestCase
from django.utils import translation
from rest_framework.test import APIClient

from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import HOTEL_SCOPES, Role
from tests import servers

ALPHA_HOST = "alpha.localhost"


def pytest_configure() -> None:
    # Making a password slow to guess makes every test that logs in slow.
    # A test's transaction is its own: no thread looks at the table of hosts for it.
    django_settings.ROUTING_CHECK_SECONDS = 0
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """This worker's copy of the template database, and a new one after every test that commits."""
    if problem := os.environ.get("HOTELAGENT_TEST_PROBLEM"):
        pytest.fail(f"The template database could not be made:\n{problem}", pytrace=False)
    direct_url = django_settings.DATABASE_DIRECT_URL
    servers.clone(direct_url)

    def start_again(self: TransactionTestCase) -> None:
        for connection in connections.all(initialized_only=True):
            connection.close()
        servers.clone(direct_url)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", start_again)
        yield
    with django_db_blocker.unblock():
        for connection in connections.all(initialized_only=True):
            connection.close()


@pytest.fixture
def unkept_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a Celery worker inside the test: its threads end with it, and what they kept would be left open."""
    monkeypatch.setitem(connections["default"].settings_dict, "CONN_MAX_AGE", 0)


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis number of this worker's own. Emptied before every test."""
    url: str = django_settings.REDIS_URL
    return url


@pytest.fixture(scope="session")
def _redis(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(autouse=True)
def _empty_redis(_redis: Any) -> None:
    """No throttle, flag or cached page of an earlier test counts in this one."""
    _redis.flushdb()


@pytest.fixture(autouse=True)
def _no_language() -> None:
    """The test client leaves the thread in the last reader's language."""
    translation.deactivate()


@pytest.fixture
def platform(db: None) -> Iterator[None]:
    """Statements of the test go to the shared tables."""
    with platform_context():
        yield


def _hotel(slug: str) -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=slug)


@pytest.fixture
def hotel(db: None) -> Hotel:
    """Hotel Alpha, Europe/Lisbon."""
    return _hotel("alpha")


@pytest.fixture
def other_hotel(db: None) -> Hotel:
    """Hotel Beta, America/New_York."""
    return _hotel("beta")


@pytest.fixture
def in_hotel(hotel: Hotel) -> Iterator[Hotel]:
    """Statements of the test go to Hotel Alpha's schema."""
    with hotel_context(hotel):
        yield hotel


@pytest.fixture
def api(hotel: Hotel) -> APIClient:
    """A REST client on Hotel Alpha's host, with a key that may do everything there."""
    with hotel_context(hotel):
        _, secret = api_keys.create(name="tests", scopes=HOTEL_SCOPES)
    client = APIClient(SERVER_NAME=ALPHA_HOST)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def staff(hotel: Hotel) -> Client:
    """A browser on Hotel Alpha's host, logged in as its manager."""
    client = Client(SERVER_NAME=ALPHA_HOST)
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="manager", password=None, role=Role.MANAGER))
    return client


@pytest.fixture
def smtp(settings: Any) -> Iterator[servers.MailServer]:
    """A real SMTP server that Django's mail goes to; see MailServer for how to make it misbehave."""
    with servers.mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        yield server


@pytest.fixture(scope="session")
def pgbouncer() -> Iterator[servers.PgBouncer]:
    """PgBouncer in transaction mode, a pool of 3, before the server; its `url` is the runtime login's."""
    if servers.find_pgbouncer() is None:
        servers.demand_or_skip("pgbouncer")
    with ExitStack() as stack:
        yield stack.enter_context(
            servers.PgBouncer(
                django_settings.DATABASE_URL, pool_size=3, other_urls=(django_settings.DATABASE_DIRECT_URL,)
            )
        )
