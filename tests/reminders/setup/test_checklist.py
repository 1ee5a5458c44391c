"""Tests of the checklist of the set-up: how steps are completed and skipped, hiding the checklist, and permissions."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from audit.models import Event
from locks.services import NewRoom, create_room
from reminders.models import EmailBranding, Reservation, Rule
from reminders.reservations.calendars.services import link_calendar
from reminders.services.emails import set_reply_address
from reminders.setup.models import SetupProgress
from reminders.setup.services import confirm_step, set_checklist_hidden, skip_step
from reminders.setup.steps import SetupStep, read_state
from tenants.access import api_keys
from tenants.context import hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role

pytestmark = pytest.mark.django_db
ACT = "/admin/reminders/setupprogress/act/"
PAGE = "/admin/reminders/setupprogress/"
TITLE = "Set up your hotel"


def test_all_set_up_steps_of_a_new_hotel_are_open(staff: Client, in_hotel: Hotel) -> None:
    assert read_state().open == list(SetupStep)


def _add_room() -> None:
    create_room(NewRoom(number="101", room_type="Double"))


def _add_colleague() -> None:
    User.objects.create_user(username="eva", password=None, role=Role.FRONT_DESK)


def test_calendar_step_is_done_as_soon_as_a_calendar_is_linked(staff: Client, in_hotel: Hotel) -> None:
    room = create_room(NewRoom(number="102", room_type="Double"))
    link_calendar(room=room.pk, name="A", url="https://example.com/a.ics", import_closures=False)
    assert read_state().done == {SetupStep.ROOMS, SetupStep.CALENDARS}


@pytest.mark.parametrize(
    ("step", "act"),
    [
        (SetupStep.ROOMS, _add_room),
        (SetupStep.STAFF, _add_colleague),
        (SetupStep.SENDER, lambda: set_reply_address(email="desk@alpha.example")),
        (SetupStep.BRANDING, lambda: EmailBranding.objects.create(colour="#112233")),
        (SetupStep.RULES, lambda: confirm_step(SetupStep.RULES)),
        (SetupStep.TEST_EMAIL, lambda: confirm_step(SetupStep.TEST_EMAIL)),
        (SetupStep.API_KEYS, lambda: api_keys.create(name="engine", scopes=["rooms:read"])),
    ],
)
def test_step_is_done_when_the_row_that_it_requires_exists(
    staff: Client, in_hotel: Hotel, step: SetupStep, act: Callable[[], Any]
) -> None:
    assert step not in read_state().done
    act()
    assert read_state().done == {step}


def test_import_step_is_done_if_the_hotel_has_a_reservation(
    staff: Client, book: Callable[..., Reservation]
) -> None:
    book("R1", "2030-05-10", "2030-05-12")
    assert read_state().done == {SetupStep.RESERVATIONS}


def test_account_of_a_former_colleague_does_not_count_as_a_team(staff: Client, in_hotel: Hotel) -> None:
    _add_colleague()
    User.objects.filter(username="eva").update(is_active=False)
    assert SetupStep.STAFF not in read_state().done


def test_reading_the_state_of_the_set_up_takes_two_queries(
    staff: Client, in_hotel: Hotel, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        read_state()


def test_start_page_shows_the_checklist_until_all_steps_are_done_or_skipped(
    staff: Client, in_hotel: Hotel
) -> None:
    _add_room()
    content = staff.get("/admin/").content.decode()
    assert TITLE in content
    assert "1 of 9 steps done" in content
    open_steps = read_state().open
    for step in open_steps[:-1]:
        skip_step(step)
    assert TITLE in staff.get("/admin/").content.decode()
    skip_step(open_steps[-1])
    assert TITLE not in staff.get("/admin/").content.decode()
    assert "All steps are done or skipped" in staff.get(PAGE).content.decode()


def test_skipped_step_can_be_resumed_and_the_audit_trail_records_both_changes(
    staff: Client, in_hotel: Hotel
) -> None:
    for operation in ("skip", "skip", "resume", "resume"):
        response = staff.post(ACT, {"operation": operation, "step": "api_keys", "next": "/admin/"})
        assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert SetupStep.API_KEYS in read_state().open
    names = Event.objects.filter(event__startswith="setup.").order_by("id").values_list("event", flat=True)
    assert list(names) == ["setup.step_skipped", "setup.step_resumed"]


def test_hidden_checklist_can_be_shown_again_on_the_checklist_page(staff: Client, in_hotel: Hotel) -> None:
    staff.post(ACT, {"operation": "hide"})
    assert TITLE not in staff.get("/admin/").content.decode()
    assert "The checklist is hidden on the start page." in staff.get(PAGE).content.decode()
    staff.post(ACT, {"operation": "show"})
    assert TITLE in staff.get("/admin/").content.decode()


@pytest.mark.parametrize(
    "data",
    [
        {"operation": "confirm", "step": "rooms"},  # Only rooms complete this step.
        {"operation": "confirm", "step": "test_email"},  # Only a sent test e-mail completes this step.
        {"operation": "confirm", "step": "nonsense"},
        {"operation": "skip", "step": ""},
        {"operation": "nonsense", "step": "rooms"},
        {},
    ],
)
def test_invalid_operation_changes_nothing_in_the_checklist(
    staff: Client, in_hotel: Hotel, data: dict[str, str]
) -> None:
    assert staff.post(ACT, data).status_code == 302
    assert read_state().open == list(SetupStep)
    assert not SetupProgress.objects.exists()


def test_redirect_after_an_operation_stays_on_the_same_host(staff: Client, in_hotel: Hotel) -> None:
    response = staff.post(ACT, {"operation": "hide", "next": "https://evil.example/"})
    assert response["Location"] == PAGE


def test_rules_step_can_be_confirmed_without_saving_a_rule(staff: Client, in_hotel: Hotel) -> None:
    staff.post(ACT, {"operation": "confirm", "step": "rules"})
    assert SetupStep.RULES in read_state().done


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.AUDITOR])
def test_only_managers_see_and_change_the_checklist(staff: Client, in_hotel: Hotel, role: Role) -> None:
    User.objects.update(role=role)
    assert TITLE not in staff.get("/admin/").content.decode()
    assert staff.get(PAGE).status_code == 403
    assert staff.post(ACT, {"operation": "hide"}).status_code == 403
    assert not read_state().is_hidden
    User.objects.update(role=Role.MANAGER)  # For comparison, a manager may hide the checklist.
    assert staff.post(ACT, {"operation": "hide"}).status_code == 302
    assert read_state().is_hidden


def test_set_up_of_one_hotel_does_not_change_another_hotel(hotel: Hotel, other_hotel: Hotel) -> None:
    with hotel_context(hotel):
        set_checklist_hidden(is_hidden=True)
        skip_step(SetupStep.ROOMS)
    with hotel_context(other_hotel):
        assert not read_state().is_hidden
        assert SetupStep.ROOMS in read_state().open
    with hotel_context(hotel):
        assert read_state().is_hidden


def test_hotel_with_deleted_rules_can_open_the_checklist(staff: Client, in_hotel: Hotel) -> None:
    Rule.objects.all().delete()
    assert TITLE in staff.get("/admin/").content.decode()
