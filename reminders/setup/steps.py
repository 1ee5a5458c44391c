"""The steps of the set-up of a hotel. The rows in the hotel's tables show which steps are done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import cast
from uuid import UUID

from django.db.models import Exists
from django.utils.translation import gettext_lazy as _

from locks.models import Room
from reminders.models import EmailBranding, LinkedCalendar, Reservation
from reminders.setup.models import SetupProgress
from tenants.context import current_hotel
from tenants.models import ApiKey, Hotel, User


class SetupStep(StrEnum):
    """The steps in the order of the checklist."""

    ROOMS = "rooms"
    STAFF = "staff"
    SENDER = "sender"
    BRANDING = "branding"
    RULES = "rules"
    TEST_EMAIL = "test_email"
    RESERVATIONS = "reservations"
    CALENDARS = "calendars"
    API_KEYS = "api_keys"


#: The title of each step in the checklist, and its label in the audit trail.
TITLES = {
    SetupStep.ROOMS: _("Add the rooms"),
    SetupStep.STAFF: _("Add your team"),
    SetupStep.SENDER: _("Set the reply address"),
    SetupStep.BRANDING: _("Choose the logo and the colour of the e-mails"),
    SetupStep.RULES: _("Check the rules and the templates"),
    SetupStep.TEST_EMAIL: _("Send yourself a test e-mail"),
    SetupStep.RESERVATIONS: _("Add the reservations"),
    SetupStep.CALENDARS: _("Link the calendars of your channels"),
    SetupStep.API_KEYS: _("Connect other systems"),
}
#: The steps that a manager can mark as done. All other steps are done when the hotel's tables show the result.
CONFIRMABLE = frozenset({SetupStep.RULES})


@dataclass(frozen=True, slots=True)
class SetupState:
    """Which steps are done and skipped, and whether the managers have hidden the checklist."""

    done: frozenset[SetupStep]
    skipped: frozenset[SetupStep]
    is_hidden: bool

    @property
    def open(self) -> list[SetupStep]:
        """The steps that are neither done nor skipped."""
        return [step for step in SetupStep if step not in self.done | self.skipped]


def read_state() -> SetupState:
    """Read the state of the set-up of the current hotel with two queries."""
    others_than_the_first = User.objects.filter(is_active=True).order_by("id")[1:]
    facts = (
        Hotel.objects.filter(pk=cast("UUID", current_hotel().id))
        .annotate(
            has_rooms=Exists(Room.objects.all()),
            has_colleagues=Exists(others_than_the_first),
            has_branding=Exists(EmailBranding.objects.all()),
            has_reservations=Exists(Reservation.objects.all()),
            has_calendars=Exists(LinkedCalendar.objects.all()),
            has_keys=Exists(ApiKey.objects.all()),
        )
        .values()
        .get()
    )
    progress = SetupProgress.objects.read()
    is_proved = {
        SetupStep.ROOMS: facts["has_rooms"],
        SetupStep.STAFF: facts["has_colleagues"],
        SetupStep.SENDER: bool(facts["email"]),
        SetupStep.BRANDING: facts["has_branding"],
        SetupStep.RESERVATIONS: facts["has_reservations"],
        SetupStep.CALENDARS: facts["has_calendars"],
        SetupStep.API_KEYS: facts["has_keys"],
    }
    done = {step for step in SetupStep if is_proved.get(step, step in progress.confirmed_steps)}
    skipped = {step for step in SetupStep if step in progress.skipped_steps}
    return SetupState(frozenset(done), frozenset(skipped - done), progress.is_hidden)
