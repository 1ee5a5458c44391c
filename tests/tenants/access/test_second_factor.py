"""Tests of the codes of two-factor authentication: TOTP, recovery codes, replay, throttling, and what is stored."""

import datetime
from functools import partial
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.db import connection
from django.utils import timezone

from tenants.access import second_factor
from tenants.access.second_factor import TooManyCodes, check_code, matching_step, unused_recovery_codes
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tests.tenants.access.accounts import SECRET, add_user, code_at, turn_on
from tests.threads import call_at_the_same_time

pytestmark = pytest.mark.django_db


def test_codes_equal_the_examples_in_rfc_6238(monkeypatch: pytest.MonkeyPatch) -> None:
    # RFC 6238 lists codes with 8 digits in appendix B. Codes with 6 digits are the last 6 digits of these codes.
    for moment, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        monkeypatch.setattr("time.time", lambda moment=moment: moment)
        assert matching_step(SECRET, code) == moment // 30


@pytest.mark.parametrize(("offset", "is_right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_code_is_accepted_up_to_30_seconds_before_and_after_its_time(
    in_hotel: Hotel, monkeypatch: pytest.MonkeyPatch, offset: int, is_right: bool
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_900_000_015.0)
    user = add_user()
    turn_on(user)
    User.objects.update(totp_last_step=0)
    assert check_code(user, code_at(offset)) is is_right


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "\N{ARABIC-INDIC DIGIT ONE}" * 6, "-12345", "\0"]
)
def test_code_that_is_not_six_digits_is_refused(in_hotel: Hotel, code: str) -> None:
    user = add_user()
    turn_on(user)
    assert not check_code(user, code)


def test_code_with_spaces_is_accepted(in_hotel: Hotel) -> None:
    user = add_user()
    turn_on(user)
    code = code_at()
    assert check_code(user, f" {code[:3]} {code[3:]}")


def test_code_is_accepted_once_and_older_codes_are_refused_after_it(in_hotel: Hotel) -> None:
    user = add_user()
    turn_on(user)
    assert check_code(user, code_at(1))
    assert not check_code(user, code_at(1))
    assert not check_code(user, code_at(0))


@pytest.mark.django_db(transaction=True)
def test_code_that_two_requests_send_at_the_same_time_is_accepted_once(hotel: Hotel) -> None:
    with hotel_context(hotel):
        user = add_user()
        turn_on(user)
    send = partial(check_code, user, code_at())
    results = call_at_the_same_time(hotel, send, send, send, send)
    assert sorted(results) == [False, False, False, True]


def test_recovery_code_is_accepted_once_in_any_spelling(in_hotel: Hotel) -> None:
    user = add_user()
    codes = turn_on(user)
    assert len(set(codes)) == second_factor.RECOVERY_CODES == 10
    assert check_code(user, codes[3].upper().replace("-", " "))
    assert not check_code(user, codes[3])
    assert check_code(user, codes[9])
    user.refresh_from_db()
    assert unused_recovery_codes(user) == 8


def test_recovery_code_of_another_user_is_refused(in_hotel: Hotel) -> None:
    rosa, luis = add_user("rosa"), add_user("luis")
    codes = turn_on(rosa)
    turn_on(luis)
    assert not check_code(luis, codes[0])
    assert check_code(rosa, codes[0])


def test_database_contains_neither_the_secret_nor_recovery_codes(in_hotel: Hotel) -> None:
    user = add_user()
    codes = turn_on(user)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_user::text, totp_secret, recovery_codes FROM tenants_user")
        [(text, secret, digests)] = cursor.fetchall()
    assert SECRET.hex() not in text
    assert SECRET not in bytes(secret)
    assert second_factor.decrypt_secret(secret, user) == SECRET  # the encrypted secret is stored
    assert not any(code.replace("-", "").encode() in bytes(digests) or code in text for code in codes)


def test_encrypted_secret_that_is_copied_to_another_account_is_useless(in_hotel: Hotel) -> None:
    rosa, luis = add_user("rosa"), add_user("luis")
    turn_on(rosa)
    User.objects.filter(pk=luis.pk).update(totp_secret=User.objects.get(pk=rosa.pk).totp_secret)
    with pytest.raises(InvalidTag):
        check_code(luis, code_at())


def test_delay_after_wrong_codes_grows_until_a_right_code_is_accepted(in_hotel: Hotel) -> None:
    user = add_user()
    turn_on(user)
    waits = []
    for _number in range(3):
        assert not check_code(user, "000000")
    for _number in range(9):
        with pytest.raises(TooManyCodes) as error:
            check_code(user, code_at())  # during the delay, the right code is refused too
        waits.append(round(error.value.seconds))
        let_time_pass(user, waits[-1])
        assert not check_code(user, "000000")
    assert waits == [8, 16, 32, 64, 128, 256, 512, 900, 900]
    let_time_pass(user, 900)
    assert check_code(user, code_at(1))
    assert not check_code(user, "000000")  # no delay: the right code has reset the count


def let_time_pass(user: User, seconds: float) -> None:
    earlier = timezone.now() - datetime.timedelta(seconds=seconds + 1)
    User.objects.filter(pk=user.pk).update(code_failed_at=earlier)


def test_wrong_codes_are_limited_while_redis_is_down(in_hotel: Hotel, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    user = add_user()
    turn_on(user)
    for _number in range(3):
        assert not check_code(user, "000000")
    with pytest.raises(TooManyCodes):
        check_code(user, "000000")


def test_setup_uri_names_the_hotel_and_the_account() -> None:
    uri = second_factor.setup_uri(SECRET, account="rosa ruiz", issuer="Hotel: Sol & Mar")
    assert uri == (
        "otpauth://totp/Hotel%3A%20Sol%20%26%20Mar:rosa%20ruiz"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Hotel%3A%20Sol%20%26%20Mar"
    )
