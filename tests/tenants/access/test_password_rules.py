"""Tests of the rules for staff passwords."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import translation

from tenants.errors import InvalidPassword
from tenants.models import Hotel, User
from tenants.services.staff import set_password

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("eleven-char", "at least 12 characters"),
        ("x-9" * 85 + "yz", "at most 256 characters"),
        ("q1w2e3r4t5y6", "too common"),
        ("847362910384", "entirely numeric"),
        ("rosa.garcia.hotel", "too similar"),
    ],
)
def test_weak_password_is_refused_with_the_reason(in_hotel: Hotel, password: str, reason: str) -> None:
    User.objects.create_user(username="rosa.garcia", password=None, role="manager")
    with pytest.raises(InvalidPassword, match=reason):
        set_password(username="rosa.garcia", password=password)


@pytest.mark.parametrize("password", ["twelve-chars", "x-9" * 85 + "y", "correct horse battery staple"])
def test_password_within_the_limits_is_accepted(in_hotel: Hotel, password: str) -> None:
    User.objects.create_user(username="rosa.garcia", password=None, role="manager")
    assert set_password(username="rosa.garcia", password=password).check_password(password)


def test_current_password_is_refused_as_the_new_password(in_hotel: Hotel) -> None:
    user = User.objects.create_user(username="rosa", password="a-Long-enough-1", role="manager")
    validate_password("a-Long-enough-2", user)  # the control: another password is accepted
    with translation.override("es"), pytest.raises(ValidationError) as error:
        validate_password("a-Long-enough-1", user)
    assert error.value.messages == ["Esta es su contraseña actual. Elija una contraseña distinta."]
