"""Tests of the command that resets the two-factor authentication of an account."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, User
from tests.tenants.access.accounts import add_user, turn_on

pytestmark = pytest.mark.django_db


def reset(*arguments: str) -> str:
    out = StringIO()
    call_command("reset_second_factor", *arguments, stdout=out)
    return out.getvalue()


def test_command_resets_the_second_factor_and_records_an_event(hotel: Hotel) -> None:
    with hotel_context(hotel):
        turn_on(add_user())
    assert reset("ROSA", "--hotel", "alpha") == "The two-factor authentication of rosa was reset.\n"
    with hotel_context(hotel):
        assert not User.objects.get(username="rosa").has_second_factor
        event = Event.objects.get(event="staff.second_factor_reset")
        assert event.actor_id == "reset_second_factor"


def test_reset_for_a_missing_account_or_an_account_without_second_factor_fails(hotel: Hotel) -> None:
    with platform_context():
        add_user("eva", role="platform")
    for arguments, message, code in (
        (("eva", "--platform"), "eva has no two-factor authentication", 1),
        (("rosa", "--hotel", "alpha"), "no staff member with the user name rosa", 2),
    ):
        with pytest.raises(CommandError, match=message) as error:
            reset(*arguments)
        assert error.value.returncode == code
