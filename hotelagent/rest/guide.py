"""What a client's developer reads first: the words above the operations, and the order of these."""

from collections.abc import Callable
from typing import Any

from tenants.context import current_tenant

_CONVENTIONS = """
### Who you are
Send `Authorization: Bearer <key>` with every request. A manager makes keys in the back office (Access, API keys)
or an operator with `manage.py create_api_key`. A key belongs to one hotel, means nothing at another, and allows
only its scopes: each operation below names the one it needs. *Authorize* takes a key to try things out here.

### Sending twice without doing twice
Give each POST that makes something an `Idempotency-Key`: a new random value for each thing, the same value when
you repeat a request whose answer was lost. The first answer then comes again, with `Idempotency-Replayed: true`.

### When it goes wrong
Errors are problem documents (RFC 9457, `application/problem+json`). Decide by `type`, which is stable and leads to
its explanation ([all of them](/problems/)); show `detail` to people; give `request_id` to the operator.
After 429 and 503 wait as many seconds as `Retry-After` says.

### Lists and times
Lists give `next` and `previous`: follow these addresses as they are. A parameter or a field that does not exist is
an error and is not passed over. Addresses end in a slash. Moments are UTC (`2031-07-01T14:00:00Z`).
"""

_HOTEL = """
Rooms, holds, reservations, reminders, failures and the audit trail of **one hotel**: the one of this host.

### Book a room in four steps
1. `GET /api/v1/availability/?check_in=2031-07-01&check_out=2031-07-04` says which rooms are free on all nights.
2. `POST /api/v1/locks/` with `{"check_in": "2031-07-01", "check_out": "2031-07-04", "rooms": [12]}` holds one for
   twenty minutes. Keep `id`, `token` and `fencing_token`: the token is shown this once. Somebody was faster? 409 says
   which nights clash, and what else is free.
3. `POST /api/v1/locks/{id}/extend/` with the token if the guest needs longer, `.../release/` if they go away.
4. `POST /api/v1/locks/{id}/confirm/` with the token and the fencing token turns the hold into the stay.

Nothing free? `POST /api/v1/waiting-list/` waits for a room, first come, first offered, and `webhooks` tell when it is.

`PUT /api/v1/reservations/by-external-id/{external_id}/` then tells who comes, and plans the reminders.
Nights are `[check-in, check-out)`: one guest may arrive on the day another leaves. Days are the hotel's own.
"""

_PLATFORM = """
The platform's own interface: which hotels there are, which hotel a guest belongs to, and what failed. What belongs
to a hotel is at the hotel's host.
"""

#: As a booking goes; what operators look at comes last.
_TAGS = {
    "availability": "What is free, when.",
    "locks": "Holds, stays, and rooms out of service.",
    "waiting-list": "Waiting for a room that is taken: first come, first offered.",
    "webhooks": "Other systems that are told of holds, signed.",
    "rooms": "The rooms that there are.",
    "reservations": "Who comes, as the hotel's own system knows them.",
    "calendars": "Where channels publish a room's calendar, and how reading it goes.",
    "reminders": "Mails before arrival: planned, sent, and what kept them from going.",
    "hotels": "The hotels of this deployment, and the guests' phones and e-mails that lead to each.",
    "resolve": "From a guest's phone or e-mail to the hotel.",
    "dlq": "Messages and tasks that failed, and sending them again.",
    "audit": "Who did what, when, from where.",
}


#: What hotels send to other systems: an app says it in `AppConfig.ready()`.
_webhooks: list[Callable[[], dict[str, Any]]] = []


def register_webhooks(describe: Callable[[], dict[str, Any]]) -> None:
    """Register what makes entries of OpenAPI's `webhooks`, for the hotels' description."""
    if describe not in _webhooks:
        _webhooks.append(describe)


def webhooks() -> dict[str, Any]:
    if current_tenant().id is None:
        return {}
    return {name: entry for describe in _webhooks for name, entry in describe().items()}


def description() -> str:
    """Markdown, for the host that is asked."""
    about = _PLATFORM if current_tenant().id is None else _HOTEL
    return about.strip() + "\n" + _CONVENTIONS.rstrip()


def tags(used: set[str]) -> list[dict[str, str]]:
    """OpenAPI's tags, in the order in which pages show them."""
    return [{"name": name, "description": text} for name, text in _TAGS.items() if name in used]
