"""Tests of the limits of login attempts, which apply before a password is hashed."""

import threading
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.http import HttpResponse
from django.test import Client

from audit.models import Event
from hotelagent.admin.account import limits
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.interfaces.conftest import HOST, OTHER_HOST, PASSWORD

pytestmark = pytest.mark.django_db
ADDRESS_LIMIT, PAIR_LIMIT, NAME_LIMIT = (
    rate.requests for rate in (limits.ADDRESS_RATE, limits.PAIR_RATE, limits.NAME_RATE)
)


def log_in(username: str, *, password: str = "", host: str = HOST, address: str = "192.0.2.1") -> Any:
    return Client(SERVER_NAME=host, REMOTE_ADDR=address).post(
        "/admin/login/", {"username": username, "password": password or "wrong"}
    )


class CountingHasher(hashers.MD5PasswordHasher):
    """A fast hasher that counts the hashed passwords."""

    count = 0

    def encode(self, password: str, salt: str) -> str:
        type(self).count += 1
        return super().encode(password, salt)


@pytest.fixture
def hashed(settings: Any) -> type[CountingHasher]:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    CountingHasher.count = 0
    return CountingHasher


@pytest.fixture
def manager(hotel: Hotel) -> User:
    with hotel_context(hotel):
        return User.objects.create_user(username="rosa", password=PASSWORD, role=Role.MANAGER)


def assert_throttled(response: HttpResponse) -> None:
    assert response.status_code == 429
    assert b"Too many login attempts" in response.content
    assert int(response["Retry-After"]) >= 1


def test_logins_above_the_limit_of_the_ip_address_are_refused_without_hashing_passwords(
    hotel: Hotel, hashed: type[CountingHasher]
) -> None:
    for number in range(ADDRESS_LIMIT):
        assert log_in(f"name{number}").status_code == 200
    assert hashed.count == ADDRESS_LIMIT  # for comparison: allowed attempts hash the password
    for number in range(20):
        assert_throttled(log_in(f"other{number}"))
    assert hashed.count == ADDRESS_LIMIT
    assert log_in("name", address="192.0.2.2").status_code == 200


def test_attempts_of_an_ip_address_at_several_hotels_count_together(
    hotel: Hotel, other_hotel: Hotel, hashed: type[CountingHasher]
) -> None:
    for number in range(ADDRESS_LIMIT):
        log_in(f"name{number}", host=HOST if number % 2 else OTHER_HOST)
    assert_throttled(log_in("name", host=HOST))
    assert_throttled(log_in("name", host=OTHER_HOST))
    assert_throttled(log_in("name", host="localhost"))


def test_addresses_of_one_ipv6_network_count_together(hotel: Hotel, hashed: type[CountingHasher]) -> None:
    for number in range(ADDRESS_LIMIT):
        log_in(f"name{number}", address=f"2001:db8::{number + 1:x}")
    assert_throttled(log_in("name", address="2001:db8::ffff"))
    assert log_in("name", address="2001:db8:0:1::1").status_code == 200


def test_correct_password_is_refused_after_ten_wrong_passwords_from_the_same_address(manager: User) -> None:
    for _ in range(PAIR_LIMIT):
        log_in("rosa")
    assert_throttled(log_in("ROSA", password=PASSWORD))
    another_address = log_in("rosa", password=PASSWORD, address="192.0.2.2")
    assert another_address.status_code == 302
    assert log_in("pablo").status_code == 200


def test_user_name_is_refused_after_many_attempts_from_many_addresses(
    hotel: Hotel, hashed: type[CountingHasher]
) -> None:
    for number in range(NAME_LIMIT):
        assert log_in("rosa", address=f"198.51.100.{number}").status_code == 200
    assert_throttled(log_in("rosa", address="203.0.113.1"))
    assert log_in("pablo", address="203.0.113.1").status_code == 200


def test_throttled_login_attempts_of_an_ip_address_are_recorded_once(
    hotel: Hotel, hashed: type[CountingHasher]
) -> None:
    for number in range(ADDRESS_LIMIT + 30):
        log_in(f"name{number}")
    with hotel_context(hotel):
        events = Event.objects.filter(event="rate_limit.exceeded")
        assert [event.data["policy"] for event in events] == ["login-address"]


def test_login_is_refused_only_while_the_maximum_number_of_passwords_is_being_hashed(
    hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = threading.BoundedSemaphore(limits.MAX_CONCURRENT)
    monkeypatch.setattr(limits, "_slots", slots)
    for _ in range(limits.MAX_CONCURRENT):
        slots.acquire()
    assert_throttled(log_in("rosa"))
    slots.release()
    assert log_in("rosa").status_code == 200
    slots.release()  # one slot is still acquired if the attempt has released its slot exactly once
    with pytest.raises(ValueError, match="released too many times"):
        slots.release()


def test_passwords_are_hashed_with_argon2id(settings: Any) -> None:
    from hotelagent.settings import base  # noqa: PLC0415 - the tests replace the setting

    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    encoded = hashers.make_password("correct horse battery")
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashers.check_password("correct horse battery", encoded)
    assert not hashers.check_password("wrong", encoded)
