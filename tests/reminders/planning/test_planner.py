"""Tests of the planner, which creates, moves and cancels reminders when their reservation changes."""

from collections.abc import Callable
from datetime import UTC, datetime, time

import pytest

from audit.reading.search import object_timeline
from locks.models import Allocation, Room
from locks.services import NewStay, add_stays
from reminders.errors import InvalidReservation
from reminders.models import Reminder, Reservation, Rule
from reminders.planning.replan import replan_all
from reminders.reservations.services import cancel_reservation
from reminders.services.reminders import cancel_reminder, send_now
from tenants.context import hotel_context
from tenants.models import DueItem, Hotel
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]


def reminders_by_key() -> dict[tuple[str, int], tuple[str, str]]:
    """Return a dict that maps each reminder to its status and planned time.

    A key consists of the reservation's arrival date and the rule's offset in days.
    """
    return {
        (f"{r.arrival}", r.rule.offset_days): (r.status, f"{r.planned_for:%Y-%m-%d %H:%M}")
        for r in Reminder.objects.select_related("rule")
    }


def due_times() -> dict[str, str]:
    """Return a dictionary that maps the id of each reminder with a due item to the time of the due item."""
    return {
        f"{item.item_id}": f"{item.due_at:%Y-%m-%d %H:%M}" for item in DueItem.objects.filter(kind="reminder")
    }


def test_new_reservation_gets_a_reminder_for_each_active_rule(book: Book, clock: Clock) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    assert reminders_by_key() == {
        ("2030-05-10", 7): ("scheduled", "2030-05-03 09:00"),
        ("2030-05-10", 1): ("scheduled", "2030-05-09 09:00"),
    }
    assert sorted(due_times().values()) == ["2030-05-03 09:00", "2030-05-09 09:00"]


def test_reservation_stored_again_without_changes_keeps_its_reminders(book: Book, clock: Clock) -> None:
    clock("2030-05-01 12:00")
    first = book("R1", "2030-05-10", "2030-05-12")
    before = list(Reminder.objects.order_by("id").values())
    assert book("R1", "2030-05-10", "2030-05-12").updated_at == first.updated_at
    assert list(Reminder.objects.order_by("id").values()) == before


def test_changing_the_dates_replaces_the_reminders_and_changing_back_restores_them(
    book: Book, clock: Clock
) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    book("R1", "2030-05-20", "2030-05-22")
    assert reminders_by_key() == {
        ("2030-05-10", 7): ("cancelled", "2030-05-03 09:00"),
        ("2030-05-10", 1): ("cancelled", "2030-05-09 09:00"),
        ("2030-05-20", 7): ("scheduled", "2030-05-13 09:00"),
        ("2030-05-20", 1): ("scheduled", "2030-05-19 09:00"),
    }
    assert sorted(due_times().values()) == ["2030-05-13 09:00", "2030-05-19 09:00"]
    book("R1", "2030-05-10", "2030-05-12")
    assert {key: status for key, (status, _at) in reminders_by_key().items()} == {
        ("2030-05-10", 7): "scheduled",
        ("2030-05-10", 1): "scheduled",
        ("2030-05-20", 7): "cancelled",
        ("2030-05-20", 1): "cancelled",
    }


def test_reminder_that_was_sent_is_not_planned_again(book: Book, clock: Clock) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    Reminder.objects.filter(rule__offset_days=7).update(status="sent")
    book("R1", "2030-05-20", "2030-05-22")
    book("R1", "2030-05-10", "2030-05-12", guest_name="Ana de Lima")
    assert reminders_by_key()["2030-05-10", 7][0] == "sent"


def test_cancelled_reservation_has_no_scheduled_reminders(book: Book, clock: Clock) -> None:
    clock("2030-05-01 12:00")
    reservation = book("R1", "2030-05-10", "2030-05-12")
    cancel_reservation(reservation_id=reservation.id)
    assert {status for status, _at in reminders_by_key().values()} == {"cancelled"}
    assert due_times() == {}
    book("R1", "2030-05-10", "2030-05-12")  # the PMS sends the booking again as confirmed
    assert {status for status, _at in reminders_by_key().values()} == {"scheduled"}


def test_cancellation_of_reminders_is_recorded_in_an_audit_event_of_the_reservation(
    book: Book, clock: Clock
) -> None:
    clock("2030-05-01 12:00")
    reservation = book("R1", "2030-05-10", "2030-05-12")
    names = sorted(Rule.objects.values_list("name", flat=True))
    book("R1", "2030-05-20", "2030-05-22")  # the reminders are planned for the new dates
    unplanned = object_timeline(reservation).filter(event="reminder.unplanned")
    assert list(unplanned) == []
    cancel_reservation(reservation_id=reservation.id)
    [event] = unplanned.all()
    assert event.fields == {"number": "R1", "rules": names}


def test_reminder_cancelled_by_staff_stays_cancelled_until_staff_send_it(book: Book, clock: Clock) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    cancel_reminder(reminder_id=Reminder.objects.get(rule__offset_days=7).id)
    book("R1", "2030-05-10", "2030-05-12", guest_name="Ana de Lima")
    assert reminders_by_key()["2030-05-10", 7][0] == "cancelled"
    send_now(reminder_id=Reminder.objects.get(rule__offset_days=7).id)
    assert reminders_by_key()["2030-05-10", 7] == ("scheduled", "2030-05-01 12:00")


def test_reminders_of_a_late_booking_are_skipped_or_sent_according_to_the_rule(
    book: Book, clock: Clock
) -> None:
    clock("2030-05-09 22:30")
    book("R1", "2030-05-10", "2030-05-12")
    assert reminders_by_key() == {
        ("2030-05-10", 7): ("skipped", "2030-05-03 09:00"),
        ("2030-05-10", 1): ("scheduled", "2030-05-09 09:00"),
    }
    assert list(due_times().values()) == ["2030-05-09 22:30"]


def test_reminder_skipped_after_its_send_window_stays_skipped_after_a_guest_name_change(
    book: Book, clock: Clock
) -> None:
    clock("2030-05-09 22:30")
    book("R1", "2030-05-10", "2030-05-12")
    Reminder.objects.filter(rule__offset_days=1).update(status="skipped", skip_reason="window_passed")
    book("R1", "2030-05-10", "2030-05-12", guest_name="Ana de Lima")
    assert {status for status, _at in reminders_by_key().values()} == {"skipped"}


def test_rule_with_conditions_applies_only_to_matching_reservations(book: Book, clock: Clock) -> None:
    clock("2030-05-01 12:00")
    Rule.objects.filter(offset_days=7).update(
        min_nights=3, max_nights=4, room_types=["A"], sources=["Direct"]
    )
    fields = {"room_type": "A", "source": "Direct"}
    for number, departure, changed in (
        ("R1", "2030-05-13", {}),
        ("R2", "2030-05-12", {}),
        ("R5", "2030-05-15", {}),
        ("R3", "2030-05-13", {"room_type": "B"}),
        ("R4", "2030-05-13", {"source": "Groups"}),
    ):
        book(number, "2030-05-10", departure, **fields | changed)
    week_ahead = Reminder.objects.filter(rule__offset_days=7)
    assert list(week_ahead.values_list("reservation__external_id", flat=True)) == ["R1"]


def test_rule_after_departure_applies_to_checked_out_guests_but_not_to_no_shows(
    book: Book, clock: Clock
) -> None:
    clock("2030-05-12 15:00")
    Rule.objects.create(name="thanks", anchor="departure", offset_days=1, send_at=time(9))
    book("R1", "2030-05-10", "2030-05-12", status="checked_out")
    book("R2", "2030-05-10", "2030-05-12", status="no_show")
    [thanks] = Reminder.objects.filter(rule__name="thanks")
    assert (thanks.reservation.external_id, thanks.status) == ("R1", "scheduled")
    assert thanks.planned_for == datetime(2030, 5, 13, 8, tzinfo=UTC)


def test_replan_of_all_reservations_uses_the_new_time_zone_of_the_hotel(
    book: Book, clock: Clock, in_hotel: Hotel
) -> None:
    clock("2030-05-01 12:00")
    book("R1", "2030-05-10", "2030-05-12")
    in_hotel.time_zone = "Pacific/Kiritimati"
    with hotel_context(in_hotel):
        plan = replan_all()
        assert (plan.scheduled, plan.cancelled) == (2, 0)
        assert reminders_by_key()["2030-05-10", 1] == ("scheduled", "2030-05-08 20:00")
        assert sorted(due_times().values()) == ["2030-05-02 20:00", "2030-05-08 20:00"]
        again = replan_all()
    assert (again.scheduled, again.skipped, again.cancelled) == (0, 0, 0)


def test_changed_dates_and_cancellation_of_a_reservation_change_its_stay(
    book: Book, clock: Clock, in_hotel: Hotel
) -> None:
    clock("2030-05-01 12:00")
    room = Room.objects.create(number="1", room_type="A")
    reservation = book("R1", "2030-05-10", "2030-05-12")
    stay = NewStay(room=room.pk, check_in=reservation.arrival, check_out=reservation.departure)
    add_stays([stay])
    Reservation.objects.update(stay=stay.id)
    book("R1", "2030-05-11", "2030-05-14")
    assert f"{Allocation.objects.get(id=stay.id).check_in}" == "2030-05-11"
    cancel_reservation(reservation_id=reservation.id)
    assert Allocation.objects.get(id=stay.id).status == "cancelled"
    assert Reservation.objects.get().stay is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"departure": "2030-05-10"}, "departure"),
        ({"departure": "2033-05-10"}, "departure"),
        ({"language": "klingon"}, "language"),
        ({"adults": 0}, "__all__"),
        ({"guest_email": "nobody"}, "guest_email"),
        ({"guest_email": "ana@"}, "guest_email"),
        ({"guest_name": "A" * 10_000}, "guest_name"),
        ({"guest_name": ""}, "guest_name"),
    ],
)
def test_invalid_reservation_is_rejected_with_the_name_of_the_field(
    book: Book, fields: dict[str, object], field: str
) -> None:
    departure = str(fields.pop("departure", "2030-05-12"))
    with pytest.raises(InvalidReservation) as raised:
        book("R1", "2030-05-10", departure, **fields)
    assert field in raised.value.extra["errors"]
    assert not Reservation.objects.exists()


@pytest.mark.parametrize(
    ("zone", "arrival", "planned_for"),
    [
        # Daylight saving time begins and ends in these nights. The local time 02:30 occurs once in each night.
        ("Europe/Lisbon", "2030-04-01", "2030-03-31 01:30"),
        ("Europe/Lisbon", "2030-10-28", "2030-10-27 02:30"),
        ("America/Santiago", "2030-09-09", "2030-09-08 05:30"),
        ("America/Santiago", "2030-04-08", "2030-04-07 06:30"),
        ("Pacific/Kiritimati", "2030-05-10", "2030-05-08 12:30"),
    ],
)
def test_reminder_at_0230_on_a_clock_change_day_has_the_right_utc_time(
    *, book: Book, clock: Clock, in_hotel: Hotel, zone: str, arrival: str, planned_for: str
) -> None:
    clock("2030-01-01 12:00")
    Rule.objects.filter(offset_days=1).update(send_at=time(2, 30))
    in_hotel.time_zone = zone
    with hotel_context(in_hotel):
        book("R1", arrival, "2030-11-30")
        assert reminders_by_key()[arrival, 1] == ("scheduled", planned_for)


@pytest.mark.parametrize(
    ("anchor", "days", "hours", "planned_for"),
    [
        ("arrival", 0, 0, "2030-05-10 09:00"),
        ("arrival", 0, 36, "2030-05-08 21:00"),
        ("arrival", 2, 5, "2030-05-08 04:00"),
        ("departure", 0, 3, "2030-05-12 12:00"),
        ("departure", 30, 0, "2030-06-11 09:00"),
    ],
)
def test_offset_of_a_rule_counts_days_and_hours_from_arrival_or_departure(
    *, book: Book, clock: Clock, in_hotel: Hotel, anchor: str, days: int, hours: int, planned_for: str
) -> None:
    clock("2030-05-01 12:00")
    Rule.objects.update(is_active=False)
    Rule.objects.create(name="any", anchor=anchor, offset_days=days, offset_hours=hours, send_at=time(10))
    book("R1", "2030-05-10", "2030-05-12")
    [planned] = Reminder.objects.all()
    assert (planned.status, f"{planned.planned_for:%Y-%m-%d %H:%M}") == ("scheduled", planned_for)


def test_changed_departure_moves_the_reminder_of_a_rule_after_departure(
    book: Book, clock: Clock, in_hotel: Hotel
) -> None:
    clock("2030-05-01 12:00")
    Rule.objects.update(is_active=False)
    Rule.objects.create(name="thanks", anchor="departure", offset_days=1, send_at=time(10))
    for departure in ("2030-05-12", "2030-05-14"):
        book("R1", "2030-05-10", departure)
    [thanks] = Reminder.objects.all()
    assert f"{thanks.planned_for:%Y-%m-%d %H:%M}" == "2030-05-15 09:00"
    assert list(due_times().values()) == ["2030-05-15 09:00"]
