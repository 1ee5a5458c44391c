"""The introduction to the API documentation, and the order and descriptions of its sections (tags)."""

from collections.abc import Callable
from typing import Any

from django.templatetags.static import static

_CONVENTIONS = """
### Authentication
Send `Authorization: Bearer <key>` with every request. Managers create API keys in the admin (Access, API keys), and
operators with `manage.py create_api_key`. A key is valid for one hotel and allows only the operations of its scopes.
Each operation below names the scope that it requires. Use *Authorize* to try the operations with your key.
`reminders:write` sends and cancels reminders. Rules, templates and the e-mail branding require `reminders:manage`.

### Idempotency
Send an `Idempotency-Key` with each POST that creates something: a new random value for each request, and the same value
when you repeat a request whose response you did not receive. A repeated request has no effect and returns the first
response with the header `Idempotency-Replayed: true`.

### Versions
Responses with one resource have an `ETag`. Send it in `If-Match` when you change the resource, so that you do not
overwrite what others changed in the meantime (412). Send it in `If-None-Match` when you read the resource again: if it
has not changed, the response is empty and has the status 304.

### Errors
Errors are problem documents (RFC 9457, `application/problem+json`). Your program should decide by `type`, which never
changes and links to an explanation ([all problem types](/problems/)). `detail` is a message for people. If you contact
the operator, include `request_id`. After a response with the status 429 or 503, wait for the number of seconds in
`Retry-After`.

### Stability
The version of the API is part of each URL (`/api/v1/`). Within a version, these changes can happen at any time: new
operations, new optional parameters and request fields, new response fields, new webhook events, new problem types, and
new values of enumerations in responses. Ignore fields, events and values that your program does not know. A change that
can break a client is released under the path of a new version, and the old version continues for at least 12 months.

Operations that will be removed are `deprecated` in this document. Their responses contain the headers `Deprecation`
(RFC 9745), the time since which the operation is deprecated, `Sunset` (RFC 8594), the time at which the operation will
stop working, and `Link` with the relation `deprecation`, the URL of a page that describes the replacement.

### Lists and values
Lists are paginated: request the URLs in `next` and `previous` unchanged. Unknown parameters and unknown fields are
errors. `GET .../export/` returns all rows of a list as CSV. Responses to GET are compressed with gzip if you send
`Accept-Encoding: gzip`. All URLs end with a slash. Times are in UTC (`2031-07-01T14:00:00Z`). Dates are days in the
hotel's time zone.

The lists of reservations, of reminders, of failures, and of holds, stays and closures (`/api/v1/locks/`) have the
parameter `updated_since`. To keep a copy of the reservations, store `resume` of
`GET /api/v1/reservations/?updated_since=<now>`, read the whole list once, and then request the stored URL regularly.
Each response has the changes since the previous one, and a new `resume`. No change is missed, and a reservation may be
listed more than once. Cancelled, expired, released and discarded rows are listed with their new status. The clean-up
deletes some of them many days later, and does not list them again.
"""

_HOTEL = """
The API of one hotel: rooms, holds, stays, reservations, reminders, failures and the audit trail.

### Book a room
1. `GET /api/v1/availability/?check_in=2031-07-01&check_out=2031-07-04` lists the rooms available on all nights.
2. `POST /api/v1/locks/` with `{"check_in": "2031-07-01", "check_out": "2031-07-04", "rooms": [12]}` holds a room for 20
   minutes. Store `id`, `token` and `fencing_token` of the response. The token is not shown again. If another client was
   faster, the response has the status 409 and lists the nights that conflict and the alternatives.
3. `POST /api/v1/locks/{id}/extend/` extends the hold, and `POST /api/v1/locks/{id}/release/` releases the room. Both
   require the token.
4. `PUT /api/v1/reservations/by-external-id/WEB-1042/` with `{"arrival": "2031-07-01", "departure": "2031-07-04",
   "guest_name": "Ana Lima", "guest_email": "ana@example.com", "hold": {"id": "…", "token": "…", "fencing_token": 8}}`
   stores the reservation with your number, confirms the hold and plans the reminders, all or nothing. The values in
   `hold` are those of step 2. A stay of the reservation moves with its dates and is cancelled with it.
5. `POST /api/v1/reservations/{id}/cancel/` cancels the reservation and its stay, so that the room is free again.

A system that keeps no reservations here calls `POST /api/v1/locks/{id}/confirm/` with the token and the fencing token
instead of step 4.

If no room is available, `POST /api/v1/waiting-list/` adds an entry to the waiting list. Rooms are offered in the order
of the entries, and a webhook reports an offer.

### Report and process failures
`POST /api/v1/dlq/entries/` reports a message that your system could not process, as a JSON object or as a CloudEvent.
The failure is due about one minute later. Your handler then claims it and does the work again:

1. `POST /api/v1/dlq/entries/claim/` with `{"kinds": ["booking.created"], "lease_seconds": 60}` returns the due failures
   that an API key with the same name has reported. Store `id` and `fencing_token`. If `entries` is empty, wait for the
   number of seconds in `Retry-After`.
2. `POST /api/v1/dlq/entries/{id}/extend/` extends the lease while you work.
3. `POST /api/v1/dlq/entries/{id}/acknowledge/` reports that the work is done, and
   `POST /api/v1/dlq/entries/{id}/fail/` that it failed again.

If a response has the status 409, your lease has expired. Stop the work, because another handler may do it. The
[example client](EXAMPLE_CLIENT) is about 60 lines of Python.

A range of nights includes the night of `check_in` and excludes the night of `check_out`, so one guest can arrive on the
day on which another one leaves.
"""

_PLATFORM = """
The API of the platform: the hotels, the hotel of a guest, failures and the audit trail of the platform. The data of a
hotel is available on the host of that hotel.
"""

#: The sections of the API documentation. The sections for operators come last.
_TAGS = {
    "availability": "Rooms that are available on given nights.",
    "holds": "Holds, stays and closures.",
    "waiting-list": "Entries of guests who wait for a room, and offers to them.",
    "webhooks": "URLs that receive signed events about holds and stays.",
    "rooms": "The rooms of the hotel.",
    "reservations": "The guests' reservations in the hotel's property management system.",
    "pms": "Offers with prices, and bookings in the hotel's property management system (PMS).",
    "imports": "Imports of reservations that a worker runs: their progress, and the rows that were not imported.",
    "calendars": "Calendars of booking channels that are linked to a room, and the results of their imports.",
    "reminders": "E-mails around a stay: scheduled, sent, skipped and failed.",
    "hotels": "The hotels of this deployment and the contacts of their guests.",
    "contacts": "The hotel of a guest's phone number or e-mail address.",
    "usage": "The daily usage of the hotels: stays, reminders, API calls and storage.",
    "failures": "Messages and tasks that failed, and their retries.",
    "audit": "The audit trail: who did what, when and from where.",
}

#: Functions that describe the webhooks of an app, each with the security schemes that its webhooks use. Each function
#: returns items of the OpenAPI member `webhooks`.
_webhook_sources: dict[Callable[[], dict[str, Any]], dict[str, Any]] = {}


def register_webhooks(source: Callable[[], dict[str, Any]], *, security_schemes: dict[str, Any]) -> None:
    """Add the webhooks that `source` returns to the OpenAPI schema of hotels.

    `security_schemes` are the OpenAPI security schemes that these webhooks use. Call this function in
    `AppConfig.ready()`.
    """
    _webhook_sources[source] = security_schemes


def webhooks() -> dict[str, Any]:
    """Return the member `webhooks` of the OpenAPI schema of hotels."""
    return {name: entry for source in _webhook_sources for name, entry in source().items()}


def webhook_security_schemes() -> dict[str, Any]:
    """Return the security schemes of the requests that receivers of webhooks get."""
    return {name: scheme for schemes in _webhook_sources.values() for name, scheme in schemes.items()}


def description(*, is_hotel: bool) -> str:
    """Return the introduction to the API documentation of hotels or of the platform, in Markdown."""
    introduction = _HOTEL if is_hotel else _PLATFORM
    introduction = introduction.replace("EXAMPLE_CLIENT", static("dlq/example_client.py"))
    return introduction.strip() + "\n" + _CONVENTIONS.rstrip()


def tags(used: set[str]) -> list[dict[str, str]]:
    """Return the used tags (sections) of the OpenAPI schema, in the order in which the documentation shows them."""
    return [{"name": name, "description": text} for name, text in _TAGS.items() if name in used]
