"""Tests of the admin pages for reservations, reminders, templates and the suppression list."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Event
from dlq.models import Failure
from dlq.services import capture
from hotelagent.admin import base
from reminders import tasks
from reminders.models import Reminder, Reservation, Suppression, Template
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel, User
from tenants.scopes import Role
from tests.conftest import ALPHA_HOST
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


@pytest.fixture
def booked(book: Book) -> Reservation:
    """Return a reservation whose arrival is in nine days.

    The clock is not simulated, because the login session of the test expires by the real clock.
    """
    arrival = timezone.now().date() + timedelta(days=9)
    return book("R1", f"{arrival}", f"{arrival + timedelta(days=2)}")


@pytest.mark.parametrize("page", ["reservation", "reminder", "rule", "template", "suppression"])
def test_list_pages_of_the_admin_can_be_opened(staff: Client, booked: Reservation, page: str) -> None:
    assert staff.get(f"/admin/reminders/{page}/").status_code == 200


def test_reminder_list_shows_a_chart_of_planned_and_sent_reminders_per_day(
    staff: Client, booked: Reservation
) -> None:
    content = staff.get("/admin/reminders/reminder/").content.decode()
    assert content.count('class="ha-bars"') == 15
    assert content.count('aria-current="date"') == 1
    assert "1 planned, 0 sent" in content


def test_reservation_page_shows_the_timeline_of_its_reminders(staff: Client, booked: Reservation) -> None:
    content = staff.get(f"/admin/reminders/reservation/{booked.id}/change/").content.decode()
    assert "7 days before arrival" in content
    assert "scheduled" in content


@pytest.mark.parametrize(("language", "name"), [("en", "Germany"), ("es", "Alemania")])
def test_reservation_page_shows_the_name_of_the_country_in_the_language_of_the_reader(
    staff: Client, booked: Reservation, language: str, name: str
) -> None:
    Reservation.objects.update(country="DEU")
    url = f"/admin/reminders/reservation/{booked.id}/change/"
    content = staff.get(url, headers={"accept-language": language}).content.decode()
    assert name in content
    assert "DEU" not in content


def test_front_desk_can_edit_the_guest_of_a_reservation(staff: Client, booked: Reservation) -> None:
    data = {"guest_name": "Ana Lima", "guest_email": "right@example.com", "guest_phone": "", "language": "es"}
    response = staff.post(f"/admin/reminders/reservation/{booked.id}/change/", data)
    assert response.status_code == 302, response.context["errors"]
    booked.refresh_from_db()
    assert (booked.guest_email, booked.language) == ("right@example.com", "es")


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ("scheduled", "cancel", "cancelled"),
        ("cancelled", "send_now", "scheduled"),
        ("unknown", "was_sent", "sent"),
        ("unknown", "was_not_sent", "cancelled"),
        ("sent", "send_now", "sent"),
    ],
)
def test_admin_action_changes_the_status_of_a_reminder(
    staff: Client, booked: Reservation, before: str, action: str, after: str
) -> None:
    reminder = Reminder.objects.filter(reservation=booked).latest("planned_for")
    Reminder.objects.filter(id=reminder.id).update(status=before)
    staff.post("/admin/reminders/reminder/", {"action": action, "_selected_action": [str(reminder.id)]})
    reminder.refresh_from_db()
    assert reminder.status == after


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        ("scheduled", ["send_now", "cancel"]),
        ("skipped", ["send_now"]),
        ("cancelled", ["send_now"]),
        ("failed", ["send_now"]),
        ("unknown", ["was_sent", "was_not_sent"]),
        ("sending", []),
        ("sent", []),
    ],
)
def test_reminder_page_shows_the_buttons_that_its_status_allows(
    staff: Client, booked: Reservation, status: str, buttons: list[str]
) -> None:
    reminder = booked.reminders.latest("planned_for")
    Reminder.objects.filter(id=reminder.id).update(status=status)
    url = f"/admin/reminders/reminder/{reminder.id}/change/"
    page = staff.get(url).content.decode()
    assert re.findall(r'name="action" value="(\w+)"', page) == buttons
    assert f'href="{url}"' in staff.get(f"/admin/reminders/reservation/{booked.id}/change/").content.decode()
    for action in buttons[:1]:
        data = {"action": action, "_selected_action": [str(reminder.id)], "_from_change_page": "1"}
        assert staff.post("/admin/reminders/reminder/", data)["Location"] == url


def test_reminder_page_for_an_auditor_shows_no_action_buttons(staff: Client, booked: Reservation) -> None:
    User.objects.update(role=Role.AUDITOR)
    for url in (f"reminder/{booked.reminders.latest('planned_for').id}", f"reservation/{booked.id}"):
        assert b'name="action"' not in staff.get(f"/admin/reminders/{url}/change/").content


def test_action_that_fails_for_many_reminders_with_the_same_error_shows_one_message(
    staff: Client, book: Book
) -> None:
    arrival = timezone.now().date() + timedelta(days=9)
    for number in range(7):
        book(f"R{number}", f"{arrival}", f"{arrival + timedelta(days=2)}")
    Reminder.objects.filter(rule__offset_days=7).update(status="sent")
    selected = [str(id_) for id_ in Reminder.objects.values_list("id", flat=True)]
    response = staff.post(
        "/admin/reminders/reminder/", {"action": "cancel", "_selected_action": selected}, follow=True
    )
    texts = sorted(str(message) for message in response.context["messages"])
    assert texts[0] == "7 reminders updated."
    assert texts[1].endswith("(+2): This reminder has already been sent.")
    assert len(texts) == 2


def test_button_on_the_reservation_page_cancels_the_reservation(staff: Client, booked: Reservation) -> None:
    url = f"/admin/reminders/reservation/{booked.id}/change/"
    button = f'href="/admin/reminders/reservation/{booked.id}/cancel/?next='
    assert button in staff.get(url).content.decode()
    staff.post(f"/admin/reminders/reservation/{booked.id}/cancel/")
    booked.refresh_from_db()
    assert booked.status == "cancelled"
    assert button not in staff.get(url).content.decode()


def test_template_page_shows_a_preview_and_validates_variables(staff: Client, booked: Reservation) -> None:
    template = Template.objects.get(language="es", rule__offset_days=7)
    url = f"/admin/reminders/template/{template.id}/change/"
    assert "Estimado/a Ana Lima" in staff.get(url).content.decode()
    data: dict[str, Any] = {
        "rule": template.rule_id,
        "language": "es",
        "subject": "{{ nmae }}",
        "text": "x",
        "html": "y",
    }
    response = staff.post(url, data)
    assert "Unknown variable: nmae" in response.content.decode()
    assert staff.post(url, {**data, "subject": "{{ guest_name }}"}).status_code == 302


def test_saving_a_rule_schedules_the_replanning_of_reminders(staff: Client, booked: Reservation) -> None:
    reminder = booked.reminders.latest("planned_for")
    data = {
        "name": "two days", "is_active": "on", "anchor": "arrival", "offset_days": 2, "offset_hours": 0,
        "send_at": "10:00", "window_hours": 12, "late_policy": "skip", "room_types": "", "sources": "",
        "guests": "any", "order": 10,
        "templates-TOTAL_FORMS": 0, "templates-INITIAL_FORMS": 0,
    }  # fmt: skip
    response = staff.post(f"/admin/reminders/rule/{reminder.rule_id}/change/", data)
    assert response.status_code == 302, response.context["errors"]
    [request] = DueItem.objects.filter(kind="replan_all")
    tasks.replan_all([str(request.item_id)])
    assert not DueItem.objects.filter(kind="replan_all").exists()
    planned_for, reminder = reminder.planned_for, booked.reminders.get(pk=reminder.pk)
    assert planned_for - reminder.planned_for == timedelta(days=1)


def test_sending_a_test_message_delivers_the_template_to_the_logged_in_user(
    staff: Client, booked: Reservation, smtp: MailServer
) -> None:
    User.objects.update(email="manager@example.com")
    template = Template.objects.get(language="pt", rule__offset_days=1)
    staff.post("/admin/reminders/template/", {"action": "send_test", "_selected_action": [str(template.id)]})
    assert "tudo pronto" in smtp.to("manager@example.com")[0]["Subject"]


def test_read_only_admin_pages_show_the_label_of_the_status(staff: Client, booked: Reservation) -> None:
    reminder = booked.reminders.latest("planned_for")
    for url in (f"reservation/{booked.id}", f"reminder/{reminder.id}"):
        content = staff.get(f"/admin/reminders/{url}/change/").content.decode()
        assert "(&#x27;" not in content
        assert "('" not in content.split("<form")[-1].split("x-data")[0]


def test_failure_of_a_reminder_is_shown_with_its_reservation_and_can_be_retried(
    staff: Client, booked: Reservation
) -> None:
    reminder = booked.reminders.select_related("rule").latest("planned_for")
    Reminder.objects.filter(id=reminder.id).update(status="failed")
    captured = capture(
        is_task=False, source="reminders", name="reminders.send", retry=False, error=OSError("550 no such mailbox"),
        payload={"reminder": str(reminder.id), "to": booked.guest_email},
    )  # fmt: skip
    title = f"Reminder “{reminder.rule}” for {booked}"
    assert title in staff.get("/admin/dlq/failure/").content.decode()
    content = staff.get(f"/admin/dlq/failure/{captured.id}/change/").content.decode()
    assert title in content
    assert f"/admin/reminders/reservation/{booked.id}/change/" in content
    assert 'value="retry"' in content
    staff.post("/admin/dlq/failure/", {"action": "retry", "_selected_action": [str(captured.id)]})
    assert Failure.objects.get(id=captured.id).status == "scheduled"


def test_failure_whose_payload_contains_no_reminder_is_listed_without_a_reservation(
    staff: Client, booked: Reservation
) -> None:
    for payload in ({"reminder": "not an id"}, {"reminder": None}, {}):
        capture(
            is_task=False,
            source="x",
            name="reminders.send",
            retry=False,
            error=OSError("x"),
            payload=payload,
        )
    assert "reminders.send" in staff.get("/admin/dlq/failure/").content.decode()


def test_staff_can_add_addresses_to_the_suppression_list_and_remove_them(
    staff: Client, hotel: Hotel, in_hotel: Hotel
) -> None:
    page = "/admin/reminders/suppression/"
    response = staff.post(f"{page}add/", {"email": "Ana@Example.com"})
    assert response.status_code == 302, response.context["errors"]
    suppression = Suppression.objects.get()
    assert (suppression.email, suppression.reason) == ("ana@example.com", "manual")
    content = staff.get(page).content.decode()
    assert "ana@example.com" in content
    assert "added manually" in content
    staff.post(f"{page}{suppression.id}/delete/", {"post": "yes"})
    assert not Suppression.objects.exists()
    events = Event.objects.filter(event__startswith="suppression.").order_by("id")
    assert [event.event for event in events] == ["suppression.added", "suppression.removed"]
    assert {event.actor_label for event in events} == {"manager"}
    assert not [event for event in Event.objects.all() if "ana@example.com" in str(event.fields).lower()]


def test_auditor_cannot_change_the_suppression_list_or_the_branding(hotel: Hotel) -> None:
    auditor = Client(SERVER_NAME=ALPHA_HOST)
    with hotel_context(hotel):
        auditor.force_login(User.objects.create_user(username="eva", password=None, role=Role.AUDITOR))
    assert auditor.get("/admin/reminders/suppression/").status_code == 200
    assert auditor.post("/admin/reminders/suppression/add/", {"email": "a@b.example"}).status_code == 403
    assert auditor.post("/admin/reminders/emailbranding/1/change/", {"colour": "#000000"}).status_code == 403


def test_sending_a_test_message_without_a_user_address_shows_an_error(
    staff: Client, booked: Reservation, smtp: MailServer
) -> None:
    template = Template.objects.get(language="pt", rule__offset_days=1)
    data = {"action": "send_test", "_selected_action": [str(template.id)]}
    page = staff.post("/admin/reminders/template/", data, follow=True)
    assert "Your account has no e-mail address" in page.content.decode()
    assert smtp.accepted == []


def test_names_of_default_rules_are_shown_in_the_language_of_the_user(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        User.objects.update(language="es")
    assert "7 días antes de la llegada" in staff.get("/admin/reminders/rule/").content.decode()


def test_adding_an_address_twice_to_the_suppression_list_shows_an_error(staff: Client, hotel: Hotel) -> None:
    add = "/admin/reminders/suppression/add/"
    assert staff.post(add, {"email": "Ana@Example.com"}).status_code == 302
    response = staff.post(add, {"email": "ana@example.COM"})
    assert response.context["adminform"].form.errors == {
        "email": ["This address is already on the suppression list."]
    }
    with hotel_context(hotel):
        assert Suppression.objects.get().email == "ana@example.com"


def test_action_with_too_many_selected_rows_changes_nothing(
    staff: Client, booked: Reservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "MAX_SELECTED", 1)
    selected = [str(id_) for id_ in booked.reminders.values_list("id", flat=True)]
    data = {"action": "cancel", "_selected_action": selected}
    response = staff.post("/admin/reminders/reminder/", data, follow=True)
    assert "Select at most 1 rows at a time. 2 were selected" in str(*response.context["messages"])
    assert set(booked.reminders.values_list("status", flat=True)) == {"scheduled"}
    monkeypatch.setattr(base, "MAX_SELECTED", 0)
    staff.post("/admin/reminders/reservation/", {"action": "cancel", "_selected_action": [str(booked.id)]})
    booked.refresh_from_db()
    assert booked.status == "booked"


def test_reminder_list_with_invalid_parameters_redirects_to_the_unfiltered_list(staff: Client) -> None:
    page = "/admin/reminders/reminder/"
    data = {"action": "cancel", "_selected_action": ["no id"]}
    for response in (staff.get(f"{page}?status__exact=%00"), staff.post(page, data)):
        assert (response.status_code, response["Location"]) == (302, f"{page}?e=1")


def test_cancel_action_skips_reservations_that_cannot_be_cancelled(
    staff: Client, booked: Reservation, book: Book
) -> None:
    checked_out = book("R2", "2030-05-10", "2030-05-12", status="checked_out")
    data = {"action": "cancel", "_selected_action": [str(booked.id), str(checked_out.id)]}
    response = staff.post("/admin/reminders/reservation/", data, follow=True)
    texts = {str(message) for message in response.context["messages"]}
    assert texts == {
        "R2: The guest has checked out, so the reservation can't be cancelled.",
        "1 reservation cancelled.",
    }
