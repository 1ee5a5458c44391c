"""The story: REST requests of one hotel. The requests and their responses are the examples in the documentation.

Each operation of the REST API occurs in the story. A new operation needs a new request here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F
from django.test import Client

from audit.transparency.tiles import TILE_WIDTH
from dlq.models import Failure
from hotelagent.pms import connections
from reminders.file_imports import worker
from reminders.models import Reminder
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.audit.sealing.trails import seal_trail
from tests.dlq.external.clients import make_due
from tests.locks.helpers import run_due_tasks
from tests.openapi.recorder import Recorder

NIGHTS = {"check_in": "2031-07-01", "check_out": "2031-07-04"}
GUEST = {"guest_name": "Ana Lima", "guest_email": "ana@example.com", "language": "pt", "adults": 2}
CALENDAR = "\r\n".join(
    [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example Channel//EN", "BEGIN:VEVENT",
        "UID:HMABCD1234@channel.example", "DTSTAMP:20310512T100000Z", "DTSTART;VALUE=DATE:20310810",
        "DTEND;VALUE=DATE:20310812", "SUMMARY:Reserved", "END:VEVENT", "END:VCALENDAR", "",
    ]
)  # fmt: skip
BOOKING_LINES = (
    '{"external_id": "PMS-2001", "arrival": "2031-09-01", "departure": "2031-09-03", "guest_name": "Luis Rey"}\n'
    '{"external_id": "PMS-2002", "arrival": "2031-09-05", "departure": "2031-09-04", "guest_name": "Eva Sol"}\n'
)


@dataclass
class Story:
    """The people and programs of the story, and the ids of what they have created.

    `engine` is the booking engine of the hotel, `handler` is its integration with the property management system, and
    `manager` is the manager, who uses the session of the admin.
    """

    recorder: Recorder
    hotel: Hotel
    engine: Client
    handler: Client
    manager: Client
    webhook_url: str
    calendar_url: str

    def call(self, operation_id: str, status: int = 200, client: Client | None = None, **options: Any) -> Any:
        return self.recorder.call(client or self.engine, operation_id, status=status, **options)

    def tell(self) -> None:
        parts: tuple[Callable[[], None], ...] = (
            self._add_rooms, self._listen, self._book, self._hold_and_move, self._wait,
            self._exchange_reservations, self._book_in_pms, self._remind, self._process_failures,
            self._correct_failures, self._group_failures, self._redrive, self._audit,
        )  # fmt: skip
        for part in parts:
            part()
        self.call("listDailyUsage", query={"day_from": "2031-06-01"})

    def _add_rooms(self) -> None:
        room = self.call("createRoom", 201, body={"number": "204", "room_type": "double", "capacity": 2})
        self.room: int = room["id"]
        for number in ("205", "206"):
            self.call("createRoom", 201, body={"number": number, "room_type": "double", "capacity": 2})
        self.call("updateRoom", path={"id": self.room}, body={"floor": 2})
        self.call("getRoom", path={"id": self.room})
        self.call("listRooms", query={"room_type": "double"})
        self.call("checkAvailability", query=NIGHTS)

    def _listen(self) -> None:
        hook = self.call(
            "createWebhook", 201, body={"url": self.webhook_url, "events": ["hold.confirmed", "hold.expired"]}
        )
        path = {"id": hook["id"]}
        self.call("listWebhooks")
        self.call("getWebhook", path=path)
        self.call("testWebhook", path=path)
        self.call("updateWebhook", path=path, body={"events": ["hold.confirmed", "stay.cancelled"]})
        self.call("rotateWebhookSecret", path=path, body={"overlap_hours": 24})
        self.call("deleteWebhook", 204, path=path)

    def _book(self) -> None:
        """Book room 204, first with a hold, and then as a reservation that confirms the hold."""
        hold = self._hold(room=self.room, reference="WEB-1042")
        self.call("getHold", path={"id": hold["id"]})
        self.call("extendHold", path={"id": hold["id"]}, body={"token": hold["token"]})
        proof = {name: hold[name] for name in ("id", "token", "fencing_token")}
        body = {"arrival": NIGHTS["check_in"], "departure": NIGHTS["check_out"], **GUEST, "hold": proof}
        number = {"external_id": "WEB-1042"}
        booked = self.call("putReservation", 201, path=number, body=body)
        self.reservation = {"id": booked["id"]}
        del body["hold"]
        self.call("putReservation", 200, path=number, body={**body, "adults": 1})
        self.call("getReservation", path=self.reservation)
        self.call("getReservationByExternalId", path=number)
        self.call("listReservations", query={"arrival_from": "2031-07-01"})
        self.call("exportReservations", query={"arrival_from": "2031-07-01"})
        self.reminders = self.call("listRemindersOfReservation", path=self.reservation)

    def _hold(self, **fields: Any) -> Any:
        return self.call("createHold", 201, body={**NIGHTS, "session": "c7f1", **fields})

    def _hold_and_move(self) -> None:
        confirmed = self._hold(room_type="double", reference="WEB-1043")
        path = {"id": confirmed["id"]}
        proof = {name: confirmed[name] for name in ("token", "fencing_token")}
        self.call("confirmHold", path=path, body=proof)
        self.call("cancelHold", path=path, body={"token": confirmed["token"]})
        moved = self._hold(room=self.room + 1, session="c7f2")
        self.call(
            "moveHold", client=self.manager, path={"id": moved["id"]}, body={**NIGHTS, "room": self.room + 2}
        )
        self.call(
            "forceReleaseHold",
            client=self.manager,
            path={"id": moved["id"]},
            body={"reason": "The guest called and booked by phone."},
        )
        closure = self.call(
            "closeRoom",
            201,
            body={
                "check_in": "2031-11-03", "check_out": "2031-11-10", "room": self.room, "reason": "New bathroom",
            },
        )  # fmt: skip
        self.call("reopenRoom", path={"id": closure["id"]})

    def _wait(self) -> None:
        """Hold all rooms, join the waiting list, and claim the room that another guest releases."""
        holds = [self._hold(room=self.room + number, session=f"d{number}") for number in (1, 2)]
        wish = {**NIGHTS, "room_type": "double", "guests": 2, "session": "c7f3", "reference": "WEB-1044"}
        entry = self.call("joinWaitingList", 201, body=wish)
        self.call("listWaitingListEntries", query={"status": "waiting"})
        self.call("releaseHold", path={"id": holds[0]["id"]}, body={"token": holds[0]["token"]})
        with hotel_context(self.hotel):
            run_due_tasks()
        self.call("getWaitingListEntry", path={"id": entry["id"]})
        self.call("claimOffer", path={"id": entry["id"]})
        self.call("listHolds", query={"status": "held"})
        self.call("exportHolds", query={"status": "confirmed"})
        second = self.call("joinWaitingList", 201, body={**wish, "reference": "WEB-1045"})
        self.call("cancelWaitingListEntry", 204, path={"id": second["id"]})

    def _exchange_reservations(self) -> None:
        self.call("importCalendar", body={"calendar": CALENDAR})
        self.call("importCalendar", body=CALENDAR, media_type="text/calendar")
        self.call("upsertReservations", body=BOOKING_LINES, media_type="application/jsonl")
        self._import()
        self.call("getCalendarFeed", query={"room": self.room})
        link = {"room": self.room + 1, "name": "Airbnb", "url": self.calendar_url}
        calendar = self.call("linkCalendar", 201, body=link)
        path = {"id": calendar["id"]}
        self.call("listLinkedCalendars")
        self.call("getLinkedCalendar", path=path)
        self.call("syncLinkedCalendar", 202, path=path)
        self.call("unlinkCalendar", 204, path=path)

    def _book_in_pms(self) -> None:
        nights = {"check_in": "2031-10-03", "check_out": "2031-10-06"}
        rate = {
            "room_type": "double",
            "first_night": "2031-10-01",
            "last_night": "2031-10-31",
            "price": "120.00",
        }
        path = {"id": self.call("createRate", 201, client=self.manager, body=rate)["id"]}
        self.call("updateRate", client=self.manager, path=path, body={"price": "125.00"})
        self.call("getRate", path=path)
        self.call("listRates")
        with hotel_context(self.hotel):
            connections.change_connection(changes={"currency": "EUR"})
        self.call("searchOffers", query=nights | {"adults": 2})
        booking = {"id": "7d1c2f1e-64a5-4c1b-9f0e-2f5d1c3b8a90"}
        guest = {"name": "Ana Lima", "email": "ana@example.com", "language": "pt"}
        price = {"amount": "375.00", "currency": "EUR"}
        body = {**nights, "room_type": "double", "adults": 2, "guest": guest, "price": price}
        self.call("makeBooking", 201, path=booking, body=body)
        self.call("getBooking", path=booking)
        self.call("listBookings")
        self.call("cancelBooking", path=booking)
        self.call("reportPmsChange", 202)
        self.call("deleteRate", 204, client=self.manager, path=path)

    def _import(self) -> None:
        """Send two imports that are large enough for a worker. Stop the first import, and let the second finish."""
        row = '{"external_id": "PMS-%d", "arrival": "2031-09-01", "departure": "2031-09-0%d", "guest_name": "Luis Rey"}'
        rows = "\n".join(row % (number, 1 if number == 3000 else 3) for number in range(3000, 3201))
        bulk: dict[str, Any] = {"body": rows, "media_type": "application/jsonl"}
        stopped = {"id": self.call("upsertReservations", 202, **bulk)["id"]}
        self.call("getImport", path=stopped)
        self.call("stopImport", path=stopped)
        self.call("deleteImport", 204, path=stopped)
        finished = {"id": self.call("upsertReservations", 202, **bulk)["id"]}
        with hotel_context(self.hotel):
            worker.run(UUID(finished["id"]))
        self.call("listImports", query={"status": "finished"})
        self.call("listImportProblems", path=finished)

    def _remind(self) -> None:
        self.call("listReminders", query={"status": "scheduled"})
        self.call("exportReminders", query={"status": "scheduled"})
        first, second = ({"id": reminder["id"]} for reminder in self.reminders)
        self.call("getReminder", path=first)
        self.call("cancelReminder", path=first)
        self.call("sendReminderNow", 202, path=first)
        with hotel_context(self.hotel):
            # The worker that sent this e-mail was killed, so it is not known whether the mail server accepted it.
            Reminder.objects.filter(id=second["id"]).update(status="unknown")
        self.call("settleReminder", path=second, body={"was_sent": True})
        self.call("cancelReservation", path=self.reservation)
        body = {
            "arrival": NIGHTS["check_in"], "departure": NIGHTS["check_out"], **GUEST, "status": "inquiry",
        }  # fmt: skip
        inquiry = self.call("putReservation", 201, path={"external_id": "WEB-1044"}, body=body)
        self.call("confirmReservation", path={"id": inquiry["id"]})

    def report(self, booking: str, **changes: Any) -> dict[str, str]:
        report = {
            "name": "booking.created",
            "payload": {"booking": booking, "email": "ana@guests.exmaple.com"},
            "error_type": "Timeout",
            "error_message": "The PMS did not respond within 30 seconds.",
            **changes,
        }
        failure = self.call("reportFailure", 201, client=self.handler, body=report)
        return {"id": failure["id"]}

    def _claim(self) -> tuple[dict[str, str], int]:
        claim = {"kinds": ["booking.created"], "limit": 1, "lease_seconds": 60}
        [entry] = self.call("claimFailures", client=self.handler, body=claim)["entries"]
        return {"id": entry["id"]}, entry["fencing_token"]

    def _make_due(self, failure: dict[str, str]) -> None:
        with hotel_context(self.hotel):
            make_due(failure["id"])

    def _process_failures(self) -> None:
        """Report a failure and process it. The first attempt fails, and the second attempt succeeds."""
        failure = self.report("B-1042")
        self.call("listFailures", query={"status": "scheduled"})
        self.call("getFailure", path=failure)
        self._make_due(failure)
        path, number = self._claim()
        extension = {"fencing_token": number, "lease_seconds": 120}
        self.call("extendFailureLease", client=self.handler, path=path, body=extension)
        error = {"error_type": "Timeout", "error_message": "The PMS did not respond within 30 seconds."}
        self.call(
            "reportFailedAttempt", client=self.handler, path=path, body={"fencing_token": number, **error}
        )
        self._make_due(failure)
        path, number = self._claim()
        self.call("acknowledgeFailure", client=self.handler, path=path, body={"fencing_token": number})

    def _correct_failures(self) -> None:
        self.call("getRetryPauses")
        self.call("pauseRetries", body={"kind": "booking.created"})
        self.call("resumeRetries", body={"kind": "booking.created"})
        wrong = self.report("B-1043")
        patch = [{"op": "replace", "path": "/email", "value": "ana@guests.example.com"}]
        self.call("correctFailure", 202, path=wrong, body={"patch": patch}, headers={"If-Match": "*"})
        self.call("retryFailure", 202, path=self.report("B-1044", retry=False))
        self.call(
            "discardFailure", path=self.report("B-1045"), body={"reason": "The guest booked again by phone."}
        )
        self.call("exportFailures", query={"type": "csv"})

    def _group_failures(self) -> None:
        self.report("B-1046", error_type="BookingNotFound", error_message="The booking does not exist.")
        newest, oldest = self.call("listFailureGroups", query={"is_open": True})["results"]
        path = {"fingerprint": newest["fingerprint"]}
        self.call("getFailureGroup", path=path)
        self.call("acknowledgeFailureGroup", path=path)
        self.call("reopenFailureGroup", path=path)
        self.call("assignFailureGroup", path=path, body={"user": None})
        self.call("annotateFailureGroup", path=path, body={"note": "Reported to the vendor of the PMS."})
        self.call("muteFailureGroup", path=path, body={"limit": 100})
        self.call("unmuteFailureGroup", path=path)
        self.call("joinFailureGroup", path=path, body={"into": oldest["fingerprint"]})
        self.call("separateFailureGroup", path=path)
        split = {"text": "did not respond"}
        self.call("splitFailureGroup", path={"fingerprint": oldest["fingerprint"]}, body=split)

    def _redrive(self) -> None:
        with hotel_context(self.hotel):
            Failure.objects.filter(status="scheduled").update(next_retry_at=F("created_at"))
        start = {"selection": {"name": "booking.created"}, "dry_run": True, "rate": 600, "canary": 1}
        self.call("startRedrive", 200, body=start)
        redrive = self.call("startRedrive", 201, body={**start, "dry_run": False})
        path = {"id": redrive["id"]}
        self.call("getRedrive", path=path)
        self.call("listRedrives")
        self.call("listRedriveResults", path=path)
        self.call("pauseRedrive", path=path)
        self.call("resumeRedrive", path=path)
        self.call("cancelRedrive", path=path)

    def _audit(self) -> None:
        event = self.call("listEvents", query={"event": "hold.confirmed"})["results"][0]
        self.call("getEvent", path={"id": event["id"]})
        seal_trail(self.hotel.tenant)
        checkpoint = self.call("getAuditCheckpoint")
        size = int(checkpoint.splitlines()[1])
        self.sealed_event: str = event["id"]
        self.call("getEventProof", path={"event_id": self.sealed_event})
        self.tile_path = "tile/0/000" if size >= TILE_WIDTH else f"tile/0/000.p/{size}"
        self.call("getAuditTile", path={"tile_path": self.tile_path})
        self.call("streamEvents", query={"limit": 2})
