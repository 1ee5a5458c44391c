"""Rows of every model that the admin shows, so that the pages of objects can be opened."""

from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

import waffle
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule

from audit.reading.saved_searches import save_search
from audit.sealing import logs
from dlq import services as failures
from dlq.error_reports import report_texts
from dlq.redrives import services as redrives
from dlq.selection import FailureSelection
from hotelagent.core.ids import uuid7
from hotelagent.core.messages import TranslatableMessage, message_to_json
from hotelagent.pms import connections
from hotelagent.pms.models import Booking, BookingStatus, CircuitBreaker, Conflict, ConflictKind, Rate
from locks import selectors, services
from locks.models import Room
from locks.nights import Nights
from locks.waiting_list.services import NewEntry, create_entry
from locks.webhooks.services import create_webhook
from reminders.file_imports import services as file_imports
from reminders.file_imports import worker
from reminders.models import ImportKind, Suppression
from reminders.reservations.calendars.services import link_calendar
from reminders.reservations.services import upsert_reservation
from reminders.setup.services import skip_step
from reminders.setup.steps import SetupStep
from tenants.access import api_keys
from tenants.access.invitations import store_invitation
from tenants.context import hotel_context, platform_context
from tenants.models import ContactIdentifier, Hotel, ManagerInvitation, User
from tenants.scopes import Role
from tenants.support.sessions import request_session
from tests.tenants.access.accounts import add_user, turn_on
from tests.usage.rows import add_usage

#: A text without spaces, which a narrow screen has to break.
LONG_WORD = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
#: A URL that is longer than the width of a phone.
LONG_URL = f"https://channel.example.com/calendars/{'0123456789abcdef' * 6}.ics"
RESERVATIONS = (
    "number,arrival,departure,guest name,e-mail\nR-1,2031-04-03,2031-04-05,Ana Lima,ana@example.com\n"
)
ROOMS = "number,type,floor,capacity\n901,Suite,9,2\n"


def create_hotel_rows(hotel: Hotel, *, user_id: UUID) -> None:
    """Create at least one row of each model of the hotel's admin. Some of the values are unusually long."""
    with hotel_context(hotel):
        turn_on(add_user("second-factor"))
        _create_allocations()
        upsert_reservation(
            external_id="B-1001", arrival=selectors.today() + timedelta(days=9),
            departure=selectors.today() + timedelta(days=12), guest_name=f"María {LONG_WORD}",
            guest_email=f"{LONG_WORD.lower()}@{LONG_WORD.lower()}.example.com", guest_phone="+34600111222", adults=2,
        )  # fmt: skip
        Suppression.objects.create(email=f"{LONG_WORD.lower()}@example.com", reason="unsubscribed")
        link_calendar(room=Room.objects.earliest("id").pk, name=LONG_WORD, url=LONG_URL)
        for kind, rows in ((ImportKind.RESERVATIONS, RESERVATIONS), (ImportKind.ROOMS, ROOMS)):
            uploaded = file_imports.upload_file(kind=kind, name=f"{LONG_WORD}.csv", content=rows.encode())
            file_imports.request_check(uploaded)
            worker.run(uploaded.id)
        api_keys.create(name=LONG_WORD, scopes=["rooms:read"])
        skip_step(SetupStep.CALENDARS)
        _create_failures(user_id)
        _create_pms_rows()


def create_platform_rows(hotel: Hotel, *, user_id: UUID) -> None:
    """Create at least one row of each model of the platform's admin."""
    with platform_context():
        turn_on(add_user("second-factor", role="platform"))
        ContactIdentifier.objects.create(hotel=hotel, kind="email", value=f"{LONG_WORD.lower()}@example.com")
        waffle.get_waffle_flag_model().objects.create(name=LONG_WORD)
        waffle.get_waffle_switch_model().objects.create(name=LONG_WORD)
        CrontabSchedule.objects.create()
        logs.open_log(None)
        api_keys.create(name=LONG_WORD, scopes=["hotels:read"])
        _create_failures(user_id)
        for row in Hotel.objects.all():
            for days in range(1, 15):
                day = timezone.now().date() - timedelta(days=days)
                add_usage(
                    row, day, reservations=4711 * days, storage_bytes=5_000_000_000, api_calls=1_234_567
                )
        request_session(
            hotel_id=hotel.id,
            person=User.objects.get(pk=user_id),
            reason=LONG_WORD,
            minutes=15,
            role=Role.AUDITOR,
        )


def create_invitation(hotel: Hotel) -> str:
    """Invite the first manager of the hotel, and return the token of the invitation."""
    token = "0123456789abcdef0123456789abcdef"
    with platform_context():
        store_invitation(hotel, email="ana@example.com")
        ManagerInvitation.objects.update(
            digest=sha256(token.encode()).digest(), expires_at=timezone.now() + timedelta(days=1)
        )
    return token


def _create_allocations() -> None:
    """Create three rooms, a webhook, a stay, a hold, a closure and an entry of the waiting list."""
    create_webhook(url=f"https://hooks.example.com/{LONG_WORD}", event_types=["hold.created"])
    today = selectors.today()
    rooms = [Room.objects.create(number=str(number), room_type="Double").pk for number in (101, 102, 103)]
    stay = services.acquire_hold(rooms=rooms[:1], nights=Nights(today, today + timedelta(days=2)))
    assert stay.fencing_token
    services.confirm_hold(stay.id, token=stay.token, fencing_token=stay.fencing_token, reference=LONG_WORD)
    hold = Nights(today + timedelta(days=1), today + timedelta(days=4))
    services.acquire_hold(rooms=rooms[1:2], nights=hold, reference=LONG_WORD)
    services.close_room(room=rooms[2], nights=Nights(today, today + timedelta(days=9)), reason=LONG_WORD)
    create_entry(NewEntry(nights=hold, room=rooms[1], reference=LONG_WORD))


def _create_pms_rows() -> None:
    """Create a connection to a PMS whose calls are paused, a rate, a booking that is not clear, and a conflict."""
    today, now = selectors.today(), timezone.now()
    error = message_to_json(TranslatableMessage(f"No response from {LONG_URL}"))
    connections.change_connection(
        changes={"system": "qloapps", "url": "https://booking.example.com", "room_types": {LONG_WORD: "1"}}
    )
    CircuitBreaker.objects.create(
        operation="book", opened_at=now, open_until=now + timedelta(minutes=5), last_error=error
    )
    Rate.objects.create(
        room_type="Double", first_night=today, last_night=today + timedelta(days=90), weekdays=[5, 6],
        price=Decimal("12345.50"),
    )  # fmt: skip
    Booking.objects.create(
        reference="HA0123ABCD", status=BookingStatus.UNKNOWN, hold_id=uuid7(), fencing_token=1,
        room_type=LONG_WORD[:40], check_in=today, check_out=today + timedelta(days=2), adults=2,
        price=Decimal("240.00"), currency="EUR", pms_id="4711", sends=1, last_sent_at=now, last_error=error,
    )  # fmt: skip
    Conflict.objects.create(
        kind=ConflictKind.OVERBOOKED, pms_id="4711", detail=error, check_in=today,
        check_out=today + timedelta(days=2),
    )  # fmt: skip


def _create_failures(user_id: UUID) -> None:
    """Create a failure with a long message, a redrive job of this failure, and a saved search."""
    failures.capture(
        is_task=False, source="pms", name="booking", payload={"guest": LONG_WORD, "url": LONG_URL}, retry=False,
        error=report_texts(type="Refused", message=f"No room for {LONG_WORD} at {LONG_URL}"),
    )  # fmt: skip
    redrives.start(
        selection=FailureSelection(),
        options=redrives.RedriveOptions(action="discard", discard_reason=LONG_WORD),
    )
    save_search(user_id=user_id, name=LONG_WORD, query="event=hold.created")
