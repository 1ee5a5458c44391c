"""Tests of the confirmation of inquiries by the front desk and over REST."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Event
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import WebhookDelivery
from locks.webhooks.services import create_webhook
from reminders.errors import ReservationStateError
from reminders.front_desk.arrivals import confirm_inquiry, mark_no_show
from reminders.models import Reminder, Reservation
from reminders.reservations.calendars.event_import import import_calendar
from reminders.reservations.services import cancel_reservation
from tenants.access import api_keys
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied

pytestmark = pytest.mark.django_db
CALENDAR = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:ask-1@channel.example
DTSTART;VALUE=DATE:{arrival:%Y%m%d}
DTEND;VALUE=DATE:{departure:%Y%m%d}
SUMMARY:Ana Lima
STATUS:TENTATIVE
END:VEVENT
END:VCALENDAR
"""


def url(reservation: Reservation, action: str) -> str:
    return f"/admin/reminders/reservation/{reservation.pk}/{action}/"


def test_confirmed_inquiry_is_booked_keeps_its_room_and_gets_reminders(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    inquiry = book_room("R1", 20, 22, rooms[0], status="inquiry")
    assert not Reminder.objects.exists()
    create_webhook(url="https://example.com/", event_types=WebhookEvent.values)
    for _click in range(2):
        confirmed = confirm_inquiry(reservation_id=inquiry.id)
        assert (confirmed.status, confirmed.status_date) == ("booked", day(0))
    assert occupied(day) == [("101", 20, 22, "R1")]
    assert Reminder.objects.filter(reservation=inquiry, status="scheduled").exists()
    assert Event.objects.filter(event="reservation.confirmed").count() == 1
    assert list(WebhookDelivery.objects.values_list("event", flat=True)) == ["stay.inquiry_confirmed"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (cancel_reservation, "The reservation is cancelled."),
        (mark_no_show, "The reservation is marked as a no-show."),
    ],
)
def test_confirmation_of_a_reservation_that_has_ended_is_refused(
    book: Callable[..., Reservation], day: Day, change: Callable[..., Reservation], text: str
) -> None:
    inquiry = book("R1", day(0).isoformat(), day(2).isoformat(), status="inquiry")
    change(reservation_id=inquiry.id)
    with pytest.raises(ReservationStateError, match=text):
        confirm_inquiry(reservation_id=inquiry.id)


def test_confirmation_after_the_departure_date_is_refused(book: Callable[..., Reservation], day: Day) -> None:
    inquiry = book("R1", day(-3).isoformat(), day(-1).isoformat(), status="inquiry")
    with pytest.raises(ReservationStateError, match="The departure date has passed"):
        confirm_inquiry(reservation_id=inquiry.id)


def test_inquiry_is_confirmed_over_rest_and_the_problem_names_the_obstacle(
    api: APIClient, book: Callable[..., Reservation], day: Day
) -> None:
    inquiry = book("R1", day(5).isoformat(), day(7).isoformat(), status="inquiry")
    path = f"/api/v1/reservations/{inquiry.id}/"
    confirmed = api.post(f"{path}confirm/")
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "booked")
    assert confirmed["ETag"] == api.get(path)["ETag"]
    api.post(f"{path}cancel/")
    refused = api.post(f"{path}confirm/")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/reservation-state-error")
    assert refused.json()["detail"] == "The reservation is cancelled."


def test_api_key_without_the_scope_cannot_confirm_an_inquiry(
    api: APIClient, book: Callable[..., Reservation], day: Day
) -> None:
    inquiry = book("R1", day(5).isoformat(), day(7).isoformat(), status="inquiry")
    _key, secret = api_keys.create(name="reader", scopes=["reservations:read"])
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert api.post(f"/api/v1/reservations/{inquiry.id}/confirm/").status_code == 403
    inquiry.refresh_from_db()
    assert inquiry.status == "inquiry"


def test_front_desk_confirms_an_inquiry_with_the_main_button_of_the_reservation(
    staff: Client, book_room: BookRoom, rooms: list[int]
) -> None:
    inquiry = book_room("R1", 5, 7, rooms[0], status="inquiry")
    actions = staff.get(url(inquiry, "change")).context["actions"]
    assert (actions[0].name, actions[0].is_main) == ("confirm", True)
    page = staff.get(url(inquiry, "confirm"))
    assert "The inquiry becomes a booking, keeps the room" in page.content.decode()
    done = staff.post(url(inquiry, "confirm"), follow=True)
    assert [str(message) for message in done.context["messages"]] == ["The booking of Ana Lima is confirmed."]
    inquiry.refresh_from_db()
    assert inquiry.status == "booked"
    assert "confirm" not in {action.name for action in staff.get(url(inquiry, "change")).context["actions"]}


def test_calendar_that_still_publishes_the_event_as_tentative_keeps_the_confirmation(day: Day) -> None:
    calendar = CALENDAR.format(arrival=day(5), departure=day(7)).encode()
    import_calendar(calendar)
    inquiry = Reservation.objects.get()
    assert inquiry.status == "inquiry"
    confirm_inquiry(reservation_id=inquiry.id)
    assert import_calendar(calendar).as_json()["unchanged"] == 1
    longer = CALENDAR.format(arrival=day(5), departure=day(8)).encode()
    assert import_calendar(longer).as_json()["updated"] == 1
    inquiry.refresh_from_db()
    assert (inquiry.status, inquiry.departure) == ("booked", day(8))
