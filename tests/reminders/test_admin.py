"""The hotel's admin: lists, the timeline, what can be done, and a template that is checked when saved."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Event
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
    """Nine days ahead: the browser's session lives by the real clock."""
    arrival = timezone.now().date() + timedelta(days=9)
    return book("R1", f"{arrival}", f"{arrival + timedelta(days=2)}")


@pytest.mark.parametrize("page", ["reservation", "reminder", "rule", "template", "suppression"])
def test_every_list_opens(staff: Client, booked: Reservation, page: str) -> None:
    assert staff.get(f"/admin/reminders/{page}/").status_code == 200


def test_the_list_of_reminders_shows_the_days(staff: Client, booked: Reservation) -> None:
    content = staff.get("/admin/reminders/reminder/").content.decode()
    assert content.count('class="rm-bars"') == 15
    assert content.count('aria-current="date"') == 1
    assert "1 planned, 0 sent" in content


def test_a_reservation_shows_its_timeline(staff: Client, booked: Reservation) -> None:
    content = staff.get(f"/admin/reminders/reservation/{booked.id}/change/").content.decode()
    assert "7 days before arrival" in content
    assert "scheduled" in content


def test_the_front_desk_corrects_an_address(staff: Client, booked: Reservation) -> None:
    data = {"guest_name": "Ana Lima", "guest_email": "right@example.com", "guest_phone": "", "language": "es"}
    answer = staff.post(f"/admin/reminders/reservation/{booked.id}/change/", data)
    assert answer.status_code == 302, answer.context["errors"]
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
def test_reminders_can_be_acted_on(
    staff: Client, booked: Reservation, before: str, action: str, after: str
) -> None:
    reminder = Reminder.objects.filter(reservation=booked).latest("planned_for")
    Reminder.objects.filter(id=reminder.id).update(status=before)
    staff.post("/admin/reminders/reminder/", {"action": action, "_selected_action": [str(reminder.id)]})
    reminder.refresh_from_db()
    assert reminder.status == after


@pytest.mark.parametrize(
    ("status", "offered"),
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
def test_a_reminders_page_offers_what_its_status_allows(
    staff: Client, booked: Reservation, status: str, offered: list[str]
) -> None:
    reminder = booked.reminders.latest("planned_for")
    Reminder.objects.filter(id=reminder.id).update(status=status)
    address = f"/admin/reminders/reminder/{reminder.id}/change/"
    page = staff.get(address).content.decode()
    assert re.findall(r'name="action" value="(\w+)"', page) == offered
    assert (
        f'href="{address}"' in staff.get(f"/admin/reminders/reservation/{booked.id}/change/").content.decode()
    )
    for action in offered[:1]:
        data = {"action": action, "_selected_action": [str(reminder.id)], "_from_change_page": "1"}
        assert staff.post("/admin/reminders/reminder/", data)["Location"] == address


def test_who_may_not_act_is_offered_nothing(staff: Client, booked: Reservation) -> None:
    User.objects.update(role=Role.AUDITOR)
    for address in (f"reminder/{booked.reminders.latest('planned_for').id}", f"reservation/{booked.id}"):
        assert b'name="action"' not in staff.get(f"/admin/reminders/{address}/change/").content


def test_many_refusals_for_one_reason_are_one_message(staff: Client, book: Book) -> None:
    arrival = timezone.now().date() + timedelta(days=9)
    for number in range(7):
        book(f"R{number}", f"{arrival}", f"{arrival + timedelta(days=2)}")
    Reminder.objects.filter(rule__offset_days=7).update(status="sent")
    chosen = [str(id_) for id_ in Reminder.objects.values_list("id", flat=True)]
    answer = staff.post(
        "/admin/reminders/reminder/", {"action": "cancel", "_selected_action": chosen}, follow=True
    )
    said = sorted(str(message) for message in answer.context["messages"])
    assert said[0] == "7 reminders updated."
    assert said[1].endswith("(+2): This reminder was already sent.")
    assert len(said) == 2


def test_a_reservation_is_cancelled_on_its_page(staff: Client, booked: Reservation) -> None:
    address = f"/admin/reminders/reservation/{booked.id}/change/"
    assert 'name="action" value="cancel"' in staff.get(address).content.decode()
    staff.post("/admin/reminders/reservation/", {"action": "cancel", "_selected_action": [str(booked.id)]})
    booked.refresh_from_db()
    assert booked.status == "cancelled"
    assert 'value="cancel"' not in staff.get(address).content.decode()


def test_a_template_is_previewed_and_checked(staff: Client, booked: Reservation) -> None:
    template = Template.objects.get(language="es", rule__offset_days=7)
    address = f"/admin/reminders/template/{template.id}/change/"
    assert "Estimado/a Ana Lima" in staff.get(address).content.decode()
    data: dict[str, Any] = {
        "rule": template.rule_id,
        "language": "es",
        "subject": "{{ nmae }}",
        "text": "x",
        "html": "y",
    }
    refused = staff.post(address, data)
    assert "Unknown variable: nmae" in refused.content.decode()
    assert staff.post(address, {**data, "subject": "{{ guest_name }}"}).status_code == 302


def test_a_rule_that_changes_plans_again(staff: Client, booked: Reservation) -> None:
    reminder = booked.reminders.latest("planned_for")
    data = {
        "name": "two days", "is_active": "on", "anchor": "arrival", "offset_days": 2, "offset_hours": 0,
        "send_at": "10:00", "window_hours": 12, "late_policy": "skip", "room_types": "", "sources": "",
        "guests": "any", "order": 10,
        "templates-TOTAL_FORMS": 0, "templates-INITIAL_FORMS": 0,
    }  # fmt: skip
    answer = staff.post(f"/admin/reminders/rule/{reminder.rule_id}/change/", data)
    assert answer.status_code == 302, answer.context["errors"]
    [wish] = DueItem.objects.filter(kind="replan_all")
    tasks.replan_all([str(wish.item_id)])
    assert not DueItem.objects.filter(kind="replan_all").exists()
    planned_for, reminder = reminder.planned_for, booked.reminders.get(pk=reminder.pk)
    assert planned_for - reminder.planned_for == timedelta(days=1)


def test_staff_are_sent_a_test(staff: Client, booked: Reservation, smtp: MailServer) -> None:
    User.objects.update(email="manager@example.com")
    template = Template.objects.get(language="pt", rule__offset_days=1)
    staff.post("/admin/reminders/template/", {"action": "send_test", "_selected_action": [str(template.id)]})
    assert "tudo pronto" in smtp.to("manager@example.com")[0]["Subject"]


def test_what_is_looked_at_says_its_status_in_words(staff: Client, booked: Reservation) -> None:
    reminder = booked.reminders.latest("planned_for")
    for address in (f"reservation/{booked.id}", f"reminder/{reminder.id}"):
        content = staff.get(f"/admin/reminders/{address}/change/").content.decode()
        assert "(&#x27;" not in content
        assert "('" not in content.split("<main")[-1].split("x-data")[0]


def test_a_failed_reminder_is_named_with_its_guest_and_sent_again(staff: Client, booked: Reservation) -> None:
    reminder = booked.reminders.select_related("rule").latest("planned_for")
    Reminder.objects.filter(id=reminder.id).update(status="failed")
    failure = capture(
        kind="message", source="reminders", name="reminders.send", retry=False, error=OSError("550 no such mailbox"),
        payload={"reminder": str(reminder.id), "to": booked.guest_email},
    )  # fmt: skip
    title = f"Reminder “{reminder.rule}” for {booked}"
    assert title in staff.get("/admin/dlq/failure/").content.decode()
    content = staff.get(f"/admin/dlq/failure/{failure.id}/change/").content.decode()
    assert title in content
    assert f"/admin/reminders/reservation/{booked.id}/change/" in content
    assert 'value="retry"' in content
    staff.post("/admin/dlq/failure/", {"action": "retry", "_selected_action": [str(failure.id)]})
    failure.refresh_from_db()
    assert failure.status == "scheduled"


def test_a_failure_of_that_name_from_elsewhere_is_shown_as_it_came(
    staff: Client, booked: Reservation
) -> None:
    for payload in ({"reminder": "not an id"}, {"reminder": None}, {}):
        capture(
            kind="message",
            source="x",
            name="reminders.send",
            retry=False,
            error=OSError("x"),
            payload=payload,
        )
    assert "reminders.send" in staff.get("/admin/dlq/failure/").content.decode()


def test_the_suppression_list_says_why_and_is_kept_by_hand(
    staff: Client, hotel: Hotel, in_hotel: Hotel
) -> None:
    page = "/admin/reminders/suppression/"
    answer = staff.post(f"{page}add/", {"email": "Ana@Example.com"})
    assert answer.status_code == 302, answer.context["errors"]
    listed = Suppression.objects.get()
    assert (listed.email, listed.reason) == ("ana@example.com", "manual")
    content = staff.get(page).content.decode()
    assert "ana@example.com" in content
    assert "added manually" in content
    staff.post(f"{page}{listed.id}/delete/", {"post": "yes"})
    assert not Suppression.objects.exists()
    told = Event.objects.filter(event__startswith="suppression.").order_by("id")
    assert [event.event for event in told] == ["suppression.added", "suppression.removed"]
    assert {event.actor_label for event in told} == {"manager"}
    assert not [event for event in Event.objects.all() if "ana@example.com" in str(event.data).lower()]


def test_who_only_reads_changes_neither_list_nor_looks(hotel: Hotel) -> None:
    auditor = Client(SERVER_NAME=ALPHA_HOST)
    with hotel_context(hotel):
        auditor.force_login(User.objects.create_user(username="eva", password=None, role=Role.AUDITOR))
    assert auditor.get("/admin/reminders/suppression/").status_code == 200
    assert auditor.post("/admin/reminders/suppression/add/", {"email": "a@b.example"}).status_code == 403
    assert auditor.post("/admin/reminders/emailbranding/1/change/", {"colour": "#000000"}).status_code == 403


def test_a_test_mail_can_not_be_asked_for_without_an_address(
    staff: Client, booked: Reservation, smtp: MailServer
) -> None:
    template = Template.objects.get(language="pt", rule__offset_days=1)
    chosen = {"action": "send_test", "_selected_action": [str(template.id)]}
    page = staff.post("/admin/reminders/template/", chosen, follow=True)
    assert "Your account has no e-mail address" in page.content.decode()
    assert smtp.accepted == []


def test_the_first_rules_are_named_in_the_readers_language(staff: Client, hotel: Hotel) -> None:
    with hotel_context(hotel):
        User.objects.update(language="es")
    assert "7 días antes de la llegada" in staff.get("/admin/reminders/rule/").content.decode()


def test_an_address_is_put_on_the_list_once(staff: Client, hotel: Hotel) -> None:
    add = "/admin/reminders/suppression/add/"
    assert staff.post(add, {"email": "Ana@Example.com"}).status_code == 302
    refused = staff.post(add, {"email": "ana@example.COM"})
    assert refused.context["adminform"].form.errors == {
        "email": ["This address is already on the suppression list."]
    }
    with hotel_context(hotel):
        assert Suppression.objects.get().email == "ana@example.com"


def test_no_action_is_done_to_more_than_a_proxy_waits_for(
    staff: Client, booked: Reservation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "MAX_SELECTED", 1)
    chosen = [str(id_) for id_ in booked.reminders.values_list("id", flat=True)]
    data = {"action": "cancel", "_selected_action": chosen}
    answer = staff.post("/admin/reminders/reminder/", data, follow=True)
    assert "Select at most 1 rows at a time. 2 were selected" in str(*answer.context["messages"])
    assert set(booked.reminders.values_list("status", flat=True)) == {"scheduled"}
    monkeypatch.setattr(base, "MAX_SELECTED", 0)
    staff.post("/admin/reminders/reservation/", {"action": "cancel", "_selected_action": [str(booked.id)]})
    booked.refresh_from_db()
    assert booked.status == "booked"


def test_a_made_up_address_leads_to_the_list(staff: Client) -> None:
    page = "/admin/reminders/reminder/"
    chosen = {"action": "cancel", "_selected_action": ["no id"]}
    for answer in (staff.get(f"{page}?status__exact=%00"), staff.post(page, chosen)):
        assert (answer.status_code, answer["Location"]) == (302, f"{page}?e=1")


def test_of_several_reservations_those_are_cancelled_that_can_be(
    staff: Client, booked: Reservation, book: Book
) -> None:
    over = book("R2", "2030-05-10", "2030-05-12", status="checked_out")
    data = {"action": "cancel", "_selected_action": [str(booked.id), str(over.id)]}
    answer = staff.post("/admin/reminders/reservation/", data, follow=True)
    said = {str(message) for message in answer.context["messages"]}
    assert said == {
        "R2: The guest has checked out, so the reservation can't be cancelled.",
        "1 reservation cancelled.",
    }
