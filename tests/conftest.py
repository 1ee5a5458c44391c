"""Fixtures for the tests of all apps. Tests use real servers, and each pytest worker has a separate database."""

import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import redis
from django.conf import settings as django_settings
from django.db import connections
from django.db.models.signals import post_save
from django.test import Client, TransactionTestCase
from django.utils import translation
from hypothesis import settings as hypothesis_settings
from psycopg import sql
from rest_framework.test import APIClient

from audit.models import Event
from hotelagent.celery import app
from tenants.access import api_keys
from tenants.context import current_tenant, hotel_context, platform_context
from tenants.models import Hotel, User
from tenants.scopes import HOTEL_SCOPES, Role
from tests import servers
from tests.gunicorn import running_gunicorn

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser import OpenPage, Screen

ALPHA_HOST = "alpha.localhost"
#: The screens of the fixture `screen`: a wide screen in English, and a narrow screen in Spanish, whose texts are
#: longer.
SCREENS = ["desktop", "phone-es"]
if os.environ.get("PAGES") == "all":  # set by `make pages`
    SCREENS += ["phone", "desktop-es"]


def pytest_configure() -> None:
    # With 0, each request reads the table of hosts. A copy that a background thread reads would lack the hosts of a
    # test, because the thread does not see the rows of the test's transaction.
    django_settings.ROUTING_CHECK_SECONDS = 0
    # A slow password hash would slow down each test that creates an account.
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Hypothesis would fail slow examples, which may be slow because of other processes of the machine.
    hypothesis_settings.register_profile("without_deadline", deadline=None)
    hypothesis_settings.load_profile("without_deadline")


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Copy the template database to this pytest worker's database, at the start and after each test that commits."""
    replace_database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _test: replace_database())
        yield
    with django_db_blocker.unblock():
        close_connections()


def close_connections() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close()


def replace_database() -> None:
    """Replace this pytest worker's database with a new copy of the template database."""
    close_connections()
    servers.clone(django_settings.DATABASE_DIRECT_URL)


@pytest.fixture(scope="session")
def _events_of_writer_thread() -> Iterator[list[tuple[str, uuid.UUID]]]:
    """Return a list of the audit events that the writer thread has committed: the schema and id of each event."""
    events: list[tuple[str, uuid.UUID]] = []

    def remember(*, instance: Event, **_arguments: object) -> None:
        if threading.current_thread().name == "audit-record":
            events.append((current_tenant().schema, instance.id))

    post_save.connect(remember, sender=Event)
    yield events
    post_save.disconnect(remember, sender=Event)


@pytest.fixture(autouse=True)
def _delete_events_of_writer_thread(
    request: pytest.FixtureRequest, _events_of_writer_thread: list[tuple[str, uuid.UUID]]
) -> Iterator[None]:
    """Delete the audit events of the writer thread after the test, because they are not rolled back.

    Otherwise, the events would be visible in later tests, so the result of a test could depend on the order of tests.
    """
    _events_of_writer_thread.clear()
    yield
    marker = request.node.get_closest_marker("django_db")
    if _events_of_writer_thread and not (marker and marker.kwargs.get("transaction")):
        with psycopg.connect(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"]) as superuser:
            # With the role `replica`, PostgreSQL does not run the triggers that refuse the deletion of events.
            superuser.execute("SET session_replication_role = replica")
            for schema, id_ in _events_of_writer_thread:
                table = sql.Identifier(schema, "audit_event")
                superuser.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(table), [id_])


@pytest.fixture(scope="module")
def unused_sequences(django_db_setup: None, django_db_blocker: Any) -> None:
    """Create the test database again, for a test module that compares the sequences of hotels.

    Earlier tests may have used the sequences, and PostgreSQL does not reset a sequence when a test is rolled back.
    """
    with django_db_blocker.unblock():
        replace_database()


@pytest.fixture(scope="session", autouse=True)
def _task_modules(django_test_environment: None) -> None:
    """Import all modules with Celery tasks before the tests.

    Otherwise, tasks that are imported after a test has closed the Celery app would not be registered.
    """
    app.loader.import_default_modules()


@pytest.fixture
def unpersistent_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close database connections after each task, because a Celery worker that runs in a test leaves them open."""
    monkeypatch.setitem(connections["default"].settings_dict, "CONN_MAX_AGE", 0)


@pytest.fixture(scope="session")
def redis_url() -> str:
    """Return the URL of this pytest worker's Redis database, which is emptied before each test."""
    url: str = django_settings.REDIS_URL
    return url


@pytest.fixture(scope="session")
def _redis(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(autouse=True)
def _empty_redis(_redis: Any) -> None:
    """Empty the Redis database before each test, so that rate limits and caches of earlier tests have no effect."""
    _redis.flushdb()


@pytest.fixture(autouse=True)
def _no_language() -> None:
    """Deactivate the language that the test client activated in an earlier test."""
    translation.deactivate()


@pytest.fixture
def platform(db: None) -> Iterator[None]:
    """Run the test in the context of the platform, in which no hotel is selected."""
    with platform_context():
        yield


def _hotel(slug: str) -> Hotel:
    with platform_context():
        return Hotel.objects.get(slug=slug)


@pytest.fixture
def hotel(db: None) -> Hotel:
    """Return the hotel Alpha, in the time zone Europe/Lisbon."""
    return _hotel("alpha")


@pytest.fixture
def other_hotel(db: None) -> Hotel:
    """Return the hotel Beta, whose time zone is America/New_York."""
    return _hotel("beta")


@pytest.fixture
def in_hotel(hotel: Hotel) -> Iterator[Hotel]:
    """Run the test in the context of the hotel Alpha, and return the hotel."""
    with hotel_context(hotel):
        yield hotel


@pytest.fixture
def api(hotel: Hotel) -> APIClient:
    """Return a REST API client for the hotel Alpha. The client's API key has all scopes that a hotel can grant."""
    with hotel_context(hotel):
        _, secret = api_keys.create(name="tests", scopes=HOTEL_SCOPES)
    client = APIClient(SERVER_NAME=ALPHA_HOST)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def staff(hotel: Hotel) -> Client:
    """Return a test client for the admin of the hotel Alpha, logged in as the hotel's manager."""
    client = Client(SERVER_NAME=ALPHA_HOST)
    with hotel_context(hotel):
        client.force_login(User.objects.create_user(username="manager", password=None, role=Role.MANAGER))
    return client


@pytest.fixture
def operator(db: None) -> Client:
    """Return a test client for the platform's host that is logged in as platform staff."""
    browser = Client(SERVER_NAME="localhost")
    with platform_context():
        browser.force_login(User.objects.create_user(username="operator", password=None, role=Role.PLATFORM))
    return browser


@pytest.fixture
def smtp(settings: Any) -> Iterator[servers.MailServer]:
    """Start and return an SMTP server that receives Django's e-mails. A test can make the server fail."""
    with servers.mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        yield server


@pytest.fixture(scope="module")
def gunicorn_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start gunicorn with its production configuration, and return the port that it listens on."""
    with running_gunicorn(tmp_path_factory.mktemp("gunicorn")) as port:
        yield port


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Start and return Chromium. Tests that use the browser are skipped if Chromium is not installed."""
    from tests.browser import start_browser  # noqa: PLC0415 - the import of Playwright takes a third of a second

    with start_browser() as started:
        yield started


@pytest.fixture
def open_as_manager(browser: "Browser", live_server: Any, staff: Client) -> "OpenPage":
    """Return a function that opens a page of the admin of the hotel Alpha in a browser, as the hotel's manager."""
    from tests.browser import open_page  # noqa: PLC0415 - as above

    return partial(open_page, browser, live_server, staff)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.pages) for name in SCREENS])
def screen(request: pytest.FixtureRequest, browser: "Browser", live_server: Any) -> "Screen":
    """Return a browser with a screen and a language. Tests that use this fixture run once for each of the screens."""
    from tests import browser as browsers  # noqa: PLC0415 - as above

    options = browsers.SCREENS[request.param]
    return browsers.Screen(request.param, partial(browsers.open_page, browser, live_server, **options))


@pytest.fixture(scope="session")
def pgbouncer() -> Iterator[servers.PgBouncer]:
    """Start and return a PgBouncer in transaction mode with 3 server connections.

    Clients log in with the runtime login role, which is part of the PgBouncer's `url`.
    """
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with ExitStack() as stack:
        yield stack.enter_context(
            servers.PgBouncer(
                django_settings.DATABASE_URL, pool_size=3, other_urls=(django_settings.DATABASE_DIRECT_URL,)
            )
        )
