"""Tests of check-in, check-out, no-shows and their reversal."""

from collections.abc import Callable

import pytest
from django.db import transaction

from audit.models import Event
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.models import WebhookDelivery
from locks.webhooks.services import create_webhook
from reminders.errors import ReservationStateError
from reminders.front_desk.arrivals import check_in, check_out, mark_no_show, reinstate
from reminders.front_desk.rooms import assign_rooms
from reminders.models import Reminder, Reservation, Rule
from reminders.reservations.services import cancel_reservation, upsert_reservation
from tests.reminders.front_desk.conftest import BookRoom, Day, occupied

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


def refusal(service: Callable[..., Reservation], reservation: Reservation) -> str:
    """Return the message with which the service refuses to change the reservation."""
    with pytest.raises(ReservationStateError) as error:
        service(reservation_id=reservation.id)
    return str(error.value.detail)


def test_check_in_and_check_out_change_the_status_and_record_the_times(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 0, 1, rooms[0])
    arrived = check_in(reservation_id=reservation.id)
    assert (arrived.status, arrived.status_date, arrived.checked_out_at) == ("checked_in", day(0), None)
    assert arrived.checked_in_at is not None
    assert refusal(check_in, reservation) == "The guest has already checked in."
    assert refusal(cancel_reservation, reservation).startswith("The guest is in house")
    check_out(reservation_id=reservation.id)
    stored = Reservation.objects.get(id=reservation.id)
    assert (stored.status, stored.checked_in_at) == ("checked_out", arrived.checked_in_at)
    assert stored.checked_out_at is not None
    assert refusal(check_out, reservation) == "The guest has already checked out."
    recorded = Event.objects.filter(subject_id=str(reservation.id)).values_list("event", flat=True)
    assert {"reservation.checked_in", "reservation.checked_out"} <= set(recorded)


@pytest.mark.parametrize(
    ("arrival", "departure", "text"),
    [(1, 2, "Check-in is possible from the arrival date"), (-3, -1, "The departure date has passed.")],
)
def test_check_in_outside_of_the_booked_dates_is_refused(
    book_room: BookRoom, rooms: list[int], arrival: int, departure: int, text: str
) -> None:
    reservation = book_room("R1", arrival, departure, rooms[0])
    assert refusal(check_in, reservation).startswith(text)
    reservation.refresh_from_db()
    assert reservation.status == "booked"


def test_check_in_without_a_room_is_refused(book: Book, day: Day) -> None:
    reservation = book("R1", day(0).isoformat(), day(1).isoformat())
    assert refusal(check_in, reservation) == "Assign a room before the check-in."


def test_check_in_waits_until_the_previous_guest_of_the_room_has_checked_out(
    book_room: BookRoom, rooms: list[int]
) -> None:
    previous = book_room("R1", -2, 0, rooms[0])
    check_in(reservation_id=previous.id)
    following = book_room("R2", 0, 1, rooms[0])
    assert refusal(check_in, following) == (
        "The previous guest of the room has not checked out (reservation R1)."
    )
    check_out(reservation_id=previous.id)
    assert check_in(reservation_id=following.id).status == "checked_in"


def test_check_out_before_the_departure_date_frees_the_remaining_nights(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", -1, 3, rooms[0])
    check_in(reservation_id=reservation.id)
    assert check_out(reservation_id=reservation.id).departure == day(0)
    assert occupied(day) == [("101", -1, 0, "R1")]
    book_room("R2", 0, 3, rooms[0])  # succeeds, because the room is free again


def test_check_out_on_the_arrival_date_frees_the_room_and_keeps_one_night(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", 0, 3, rooms[0], rooms[1])
    check_in(reservation_id=reservation.id)
    assert check_out(reservation_id=reservation.id).departure == day(1)
    assert occupied(day) == []


def test_check_out_after_the_departure_date_keeps_the_booked_nights(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", -2, 0, rooms[0])
    check_in(reservation_id=reservation.id)
    Reservation.objects.filter(id=reservation.id).update(departure=day(-1))
    assert check_out(reservation_id=reservation.id).departure == day(-1)


@pytest.mark.parametrize(("arrival", "kept"), [(0, []), (-2, [("101", -2, 0, "R1")])])
def test_no_show_frees_the_room_from_today(
    book_room: BookRoom, rooms: list[int], day: Day, arrival: int, kept: list[tuple[str, int, int, str]]
) -> None:
    reservation = book_room("R1", arrival, 3, rooms[0])
    assert mark_no_show(reservation_id=reservation.id).status == "no_show"
    assert occupied(day) == kept
    book_room("R2", 0, 3, rooms[0])
    assert refusal(mark_no_show, reservation) == "The reservation is marked as a no-show."


def test_no_show_before_the_arrival_date_is_refused(book_room: BookRoom, rooms: list[int], day: Day) -> None:
    reservation = book_room("R1", 1, 3, rooms[0])
    assert refusal(mark_no_show, reservation).endswith("Cancel the reservation instead.")
    assert occupied(day) == [("101", 1, 3, "R1")]


def test_check_in_can_be_reversed_on_the_same_day_only(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    reservation = book_room("R1", -1, 2, rooms[0])
    check_in(reservation_id=reservation.id)
    booked = reinstate(reservation_id=reservation.id)
    assert (booked.status, booked.checked_in_at) == ("booked", None)
    assert occupied(day) == [("101", -1, 2, "R1")]
    check_in(reservation_id=reservation.id)
    Reservation.objects.filter(id=reservation.id).update(status_date=day(-1))
    assert refusal(reinstate, reservation).startswith("A check-in can be reversed only on the same day.")


def test_reversed_no_show_gets_a_room_again(book_room: BookRoom, rooms: list[int], day: Day) -> None:
    reservation = book_room("R1", -1, 2, rooms[0])
    mark_no_show(reservation_id=reservation.id)
    reinstate(reservation_id=reservation.id)
    assert occupied(day) == []
    assign_rooms(reservation_id=reservation.id, rooms=rooms[1:2])
    check_in(reservation_id=reservation.id)
    assert occupied(day) == [("102", 0, 2, "R1")]


def test_webhooks_receive_check_in_check_out_and_the_shorter_stay(
    book_room: BookRoom, rooms: list[int]
) -> None:
    reservation = book_room("R1", -1, 2, rooms[0])
    create_webhook(url="https://example.com/", event_types=WebhookEvent.values)
    check_in(reservation_id=reservation.id)
    check_out(reservation_id=reservation.id)
    deliveries = WebhookDelivery.objects.order_by("id").values_list("event", "data__hold", "data__number")
    stay = str(reservation.stay_id)
    assert list(deliveries) == [
        ("stay.checked_in", stay, "101"),
        ("stay.moved", stay, "101"),
        ("stay.checked_out", stay, "101"),
    ]


def test_webhooks_receive_check_ins_and_check_outs_that_other_systems_report(
    book_room: BookRoom, rooms: list[int], day: Day
) -> None:
    book_room("R1", 0, 2, rooms[0], rooms[1])
    create_webhook(url="https://example.com/", event_types=WebhookEvent.values)
    for status in ("checked_in", "checked_in", "checked_out"):
        upsert_reservation(
            external_id="R1", arrival=day(0), departure=day(2), guest_name="Ana Lima", status=status
        )
    deliveries = WebhookDelivery.objects.order_by("id").values_list("event", "data__number")
    assert list(deliveries) == [
        ("stay.checked_in", "101"),
        ("stay.checked_in", "102"),
        ("stay.checked_out", "101"),
        ("stay.checked_out", "102"),
    ]
    stored = Reservation.objects.get()
    assert None not in {stored.checked_in_at, stored.checked_out_at}


def deliveries_after(change: Callable[[], object]) -> list[tuple[str, str]]:
    """Return the type and the status of the deliveries that the change creates for a webhook of all events."""
    create_webhook(url="https://example.com/", event_types=WebhookEvent.values)
    change()
    return list(WebhookDelivery.objects.order_by("id").values_list("event", "data__status"))


def test_webhooks_receive_the_reversal_of_a_check_in(book_room: BookRoom, rooms: list[int]) -> None:
    reservation = book_room("R1", 0, 2, rooms[0])
    check_in(reservation_id=reservation.id)
    assert deliveries_after(lambda: reinstate(reservation_id=reservation.id)) == [
        ("stay.check_in_undone", "confirmed")
    ]


def test_webhooks_receive_a_no_show_and_its_reversal(book_room: BookRoom, rooms: list[int]) -> None:
    reservation = book_room("R1", -1, 2, rooms[0])
    assert deliveries_after(lambda: mark_no_show(reservation_id=reservation.id)) == [
        ("stay.moved", "confirmed"),
        ("stay.no_show", "confirmed"),
    ]
    WebhookDelivery.objects.all().delete()
    reinstate(reservation_id=reservation.id)
    assert list(WebhookDelivery.objects.values_list("event", flat=True)) == ["stay.cancelled"]


def test_webhooks_receive_a_no_show_whose_stay_ends_with_it(book_room: BookRoom, rooms: list[int]) -> None:
    reservation = book_room("R1", 0, 2, rooms[0])
    assert deliveries_after(lambda: mark_no_show(reservation_id=reservation.id)) == [
        ("stay.cancelled", "cancelled"),
        ("stay.no_show", "cancelled"),
    ]


@pytest.mark.parametrize(
    ("statuses", "event"),
    [
        (("inquiry", "booked"), "stay.inquiry_confirmed"),
        (("booked", "inquiry"), "stay.became_inquiry"),
        (("checked_out", "booked"), "stay.check_in_undone"),
        (("booked", "cancelled"), "stay.cancelled"),
        (("booked", "booked"), None),
    ],
)
def test_webhooks_receive_each_status_that_an_api_client_stores(
    book_room: BookRoom, rooms: list[int], day: Day, statuses: tuple[str, str], event: str | None
) -> None:
    before, after = statuses

    def put(status: str) -> None:
        upsert_reservation(
            external_id="R1", arrival=day(0), departure=day(2), guest_name="Ana Lima", status=status
        )

    book_room("R1", 0, 2, rooms[0])
    put(before)
    assert [name for name, _status in deliveries_after(lambda: put(after))] == ([event] if event else [])


def test_change_of_status_that_is_rolled_back_sends_no_event(book_room: BookRoom, rooms: list[int]) -> None:
    reservation = book_room("R1", 0, 2, rooms[0])
    check_in(reservation_id=reservation.id)

    def undo_and_fail() -> None:
        with transaction.atomic():
            reinstate(reservation_id=reservation.id)
            transaction.set_rollback(True)

    assert deliveries_after(undo_and_fail) == []


def test_guest_in_house_gets_the_reminders_of_the_stay_but_none_from_before_the_arrival(
    book_room: BookRoom, rooms: list[int]
) -> None:
    before = Rule.objects.get(offset_days=1)
    Rule.objects.filter(pk=before.pk).update(late_policy="send")
    evening = Rule.objects.create(name="Welcome", anchor="arrival", send_at="23:59")
    departure = Rule.objects.create(name="Goodbye", anchor="departure", send_at="18:00")
    reservation = book_room("R1", 0, 2, rooms[0])

    def scheduled() -> dict[object, Reminder]:
        return {
            reminder.rule_id: reminder
            for reminder in Reminder.objects.filter(reservation=reservation, status="scheduled")
        }

    planned = scheduled()
    assert {before.pk, evening.pk, departure.pk} <= set(planned)
    check_in(reservation_id=reservation.id)
    assert set(scheduled()) == {evening.pk, departure.pk}
    check_out(reservation_id=reservation.id)
    earlier = planned[departure.pk].planned_for - scheduled()[departure.pk].planned_for
    assert earlier.days == 1
