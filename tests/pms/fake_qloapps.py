"""A server with the web service of QloApps 1.6, as far as our adapter uses it, with the faults of the real one.

    python -m tests.pms.fake_qloapps

It prints its port and serves until its input ends. `POST /_fake` changes the members of its state, and `GET /_fake`
returns them. The faults that the real QloApps 1.6.1 has are always present:

- A search for availability must be XML.
- A change of a booking without all its rooms is refused with the status 400.
- Elements of `room_types` with the same type and nights are merged, and only the rooms of the last one are kept.
- Two bookings at the same time can get the same room, because the free room is read before it is taken.
- A PHP notice precedes the JSON of each third response.

The member `booking_faults` lists the faults of the next booking requests: "lost" (500 after the booking), "cut" (the
connection is closed after the booking), "broken" (half of the JSON after it), "early" (500 before the booking),
"partial" (one room less than requested), one of `UNUSABLE` (after the booking), or "" (no fault). The member
`read_faults` lists the faults of the next other requests, and `read_fault` is the fault of the requests after them: one
of `UNUSABLE`, "500", "503" or "429" (both with Retry-After), or "".
"""

from __future__ import annotations

import base64
import datetime
import json
import sys
import threading
import time
import zoneinfo
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from tests.web import QuietHandler

KEY = "QLOAPPSKEY"
NOTICE = "<br />\n<b>Notice</b>:  Undefined index in <b>/qloapps/classes/{Order.php}</b> on line <b>7</b>\n"

#: The faults after which a response is complete but not usable, or too large or too slow.
UNUSABLE = ("html", "empty", "huge", "slow")


class State:
    """The bookings and the faults of the server."""

    def __init__(self) -> None:
        self.rooms: dict[str, list[int]] = {"1": [101, 102, 103], "2": [201]}
        self.bookings: dict[int, dict[str, Any]] = {}
        self.booking_faults: list[str] = []
        self.read_fault = ""
        self.read_faults: list[str] = []
        self.currency = "EUR"
        self.price = 100.0
        self.requests = 0
        self.searches = 0
        self.delay = 0.0
        self.time_zone = "UTC"
        self.lock = threading.Lock()

    def occupied(self, first: str, last: str) -> set[int]:
        return {
            room["id_room"]
            for booking in self.bookings.values()
            if booking["booking_status"] != 3
            for type_ in booking["associations"]["room_types"]
            if type_["checkin_date"] < last and type_["checkout_date"] > first
            for room in type_["rooms"]
        }


class Handler(QuietHandler):
    """Handles the requests of the web service."""

    protocol_version = "HTTP/1.0"

    @property
    def state(self) -> State:
        return self.server.state  # type: ignore[attr-defined, no-any-return]

    def do_GET(self) -> None:
        path, query = self._begin()
        if path == ["_fake"]:
            self._send(
                200,
                {
                    "bookings": list(self.state.bookings.values()),
                    "requests": self.state.requests,
                    "searches": self.state.searches,
                },
            )
        elif self._refused() or self._faulty():
            return
        elif path[1] == "bookings" and len(path) > 2:
            booking = self.state.bookings.get(int(path[2]))
            self._send(200, {"booking": booking}) if booking else self._send(404, None)
        elif path[1] == "orders":
            self._send(200, self._orders(query) or [])
        elif path[1] == "hotels":
            self._send(200, {"hotel": {"id": 1}}) if path[2:] == ["1"] else self._send(404, None)
        else:
            self._send(200, {path[1]: []})

    def do_POST(self) -> None:
        path, _query = self._begin()
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if path == ["_fake"]:
            for name, value in json.loads(body).items():
                setattr(self.state, name, value)
            self._send(200, {})
        elif self._refused():
            return
        elif path[1] == "hotel_ari":
            if not self._faulty():
                self._search(body)
        else:
            self._book(json.loads(body)["booking"])

    def do_PUT(self) -> None:  # noqa: N802 - the name that http.server calls
        self._begin()
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)))["booking"]
        if self._refused():
            return
        rooms = _room_ids(_merge(document["associations"].get("room_types", [])))
        booking = self.state.bookings.get(document["id"])
        if booking is None or rooms != _room_ids(booking["associations"]["room_types"]):
            self._error(400, "Requested room(s) not available.")
            return
        booking["booking_status"] = document["booking_status"]
        booking["date_upd"] = self._now()
        self._send(200, {"booking": booking})

    def _begin(self) -> tuple[list[str], dict[str, list[str]]]:
        url = urlsplit(self.path)
        path = url.path.strip("/").split("/")
        if path != ["_fake"]:
            with self.state.lock:
                self.state.requests += 1
        return path, parse_qs(url.query)

    def _refused(self) -> bool:
        expected = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
        if self.headers.get("Authorization") == expected:
            return False
        self._error(401, "Authentication key is not valid")
        return True

    def _faulty(self) -> bool:
        """Send the response of the fault of reads, if there is one."""
        with self.state.lock:
            fault = self.state.read_faults.pop(0) if self.state.read_faults else self.state.read_fault
        self._send_fault(fault)
        return bool(fault)

    def _send_fault(self, fault: str) -> None:
        if fault == "html":
            self._write(200, b"<html><body>The shop is in maintenance.</body></html>")
        elif fault == "empty":
            self._write(200, b"")
        elif fault == "huge":
            self._write(200, b"[" + b" " * 30_000_000 + b"]")
        elif fault == "slow":
            self.send_head(200)
            for _second in range(100):
                self.wfile.write(b" ")
                time.sleep(0.1)
        elif fault in {"429", "503"}:
            self.send_head(int(fault), **{"Retry-After": "1"})
        elif fault == "500":
            self._error(500, "Internal error")

    def _search(self, body: bytes) -> None:
        try:
            search = ElementTree.fromstring(body).find("hotel_ari")  # noqa: S314 - our own document
            assert search is not None
        except ElementTree.ParseError:
            self._error(400, "XML error")
            return
        with self.state.lock:
            self.state.searches += 1
        time.sleep(self.state.delay)
        first, last = search.findtext("date_from", ""), search.findtext("date_to", "")
        occupied = self.state.occupied(first, last)
        nights = (datetime.date.fromisoformat(last) - datetime.date.fromisoformat(first)).days
        wanted = search.findtext("id_room_type")
        types = [
            {
                "id_room_type": number,
                "total_price_with_tax": self.state.price * nights,
                "rooms": {"available": [{"id_room": room} for room in rooms if room not in occupied]},
            }
            for number, rooms in self.state.rooms.items()
            if wanted in {None, number}
        ]
        self._send(
            200, {"hotel_aris": [{"id_hotel": "1", "currency": self.state.currency, "room_types": types}]}
        )

    def _book(self, booking: dict[str, Any]) -> None:
        with self.state.lock:
            fault = self.state.booking_faults.pop(0) if self.state.booking_faults else ""
        if fault == "early":
            self._error(500, "Internal error")
            return
        room_types = _merge(booking["associations"]["room_types"])
        free = [self._free_rooms(type_) for type_ in room_types]
        time.sleep(self.state.delay)
        if any(len(rooms) < type_["number_of_rooms"] for rooms, type_ in zip(free, room_types, strict=True)):
            self._error(400, "Requested room(s) not available.")
            return
        if fault == "partial":
            room_types[-1]["rooms"].pop()
        for rooms, type_ in zip(free, room_types, strict=True):
            for room, id_room in zip(type_["rooms"], rooms, strict=False):
                room["id_room"] = id_room
        with self.state.lock:
            id_ = len(self.state.bookings) + 1
            self.state.bookings[id_] = stored = {
                "id": id_,
                "id_property": booking["id_property"],
                "currency": booking["currency"],
                "booking_status": booking["booking_status"],
                "booking_date": self._now(),
                "date_upd": self._now(),
                "associations": {
                    "customer_detail": booking["associations"]["customer_detail"],
                    "price_details": {"total_price_without_tax": self.state.price, "total_tax": 0},
                    "remarks": [booking["remark"]],
                    "room_types": room_types,
                },
            }
        if fault == "lost":
            self._error(500, "Internal error")
        elif fault in UNUSABLE:
            self._send_fault(fault)
        elif fault == "cut":
            self.close_connection = True
        elif fault == "broken":
            self._write(201, json.dumps({"booking": stored}).encode()[:80])
        else:
            self._send(201, {"booking": stored})

    def _free_rooms(self, type_: dict[str, Any]) -> list[int]:
        occupied = self.state.occupied(type_["checkin_date"], type_["checkout_date"])
        return [room for room in self.state.rooms[str(type_["id_room_type"])] if room not in occupied]

    def _orders(self, query: dict[str, list[str]]) -> dict[str, Any] | None:
        ids = sorted(self.state.bookings)
        for name, field in (("date_add", "booking_date"), ("date_upd", "date_upd")):
            if times := query.get(f"filter[{name}]"):
                first = times[0].strip("[]").split(",")[0]
                ids = [id_ for id_ in ids if self.state.bookings[id_][field] >= first]
        return {"orders": [{"id": id_} for id_ in ids]} if ids else None

    def _error(self, status: int, message: str) -> None:
        self._write(status, json.dumps({"errors": [{"code": 1, "message": message}]}).encode())

    def _send(self, status: int, document: Any) -> None:
        text = "" if document is None else json.dumps(document)
        notice = NOTICE if self.state.requests % 3 == 0 and self.path != "/_fake" else ""
        self._write(status, (notice + text).encode())

    def _write(self, status: int, body: bytes) -> None:
        self.send_head(status, **{"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _now(self) -> str:
        """Return the time in the time zone of the server. QloApps stores and sends times without an offset."""
        time_zone = zoneinfo.ZoneInfo(self.state.time_zone)
        return datetime.datetime.now(tz=time_zone).strftime("%Y-%m-%d %H:%M:%S")


def _merge(room_types: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge the elements with the same type and nights as QloApps does: only the rooms of the last one are kept."""
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for type_ in room_types:
        key = (type_["id_room_type"], type_["checkin_date"], type_["checkout_date"])
        first = merged.setdefault(key, type_)
        if first is not type_:
            first["number_of_rooms"] += type_["number_of_rooms"]
            first["rooms"] = type_["rooms"]
    return list(merged.values())


def _room_ids(room_types: list[dict[str, Any]]) -> list[int]:
    return sorted(room["id_room"] for type_ in room_types for room in type_["rooms"])


class Server(ThreadingHTTPServer):
    """The server on a free port of this machine."""

    request_queue_size = 200
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.state = State()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # clients close connections at their deadline
            super().handle_error(request, client_address)


def main() -> None:
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
