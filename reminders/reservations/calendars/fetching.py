"""Reads a channel's calendar at its address: within some seconds and bytes, over a few redirects, each judged anew.

An address holds a token that opens the channel's calendar: errors name its host and nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urljoin

from django.utils.translation import gettext_noop as _

from hotelagent.core import public_addresses
from hotelagent.core.http_client import RequestFailed, Response, send_request
from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.public_addresses import URLNotAllowed
from reminders.errors import CalendarUnavailable, InvalidCalendarUrl
from reminders.reservations.calendars.parsing import MOST_BYTES

AGENT = "hotelagent-calendars/1"
#: From the first packet to the last, redirects included.
SECONDS = 20.0
_REDIRECTS = 3
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
_WITHDRAWN = frozenset({401, 403, 404, 410})


@dataclass(frozen=True, slots=True)
class Seen:
    """What the other side called the version that we have read (RFC 9110, 8.8)."""

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`content` None: it is as it was seen."""

    content: bytes | None
    seen: Seen


def normalize_url(url: str) -> str:
    """Return the URL with its `webcal` scheme replaced by `https`. Raises InvalidCalendarUrl."""
    url = url.strip()
    scheme, _colon, rest = url.partition(":")
    url = f"https:{rest}" if scheme.lower() in {"webcal", "webcals"} else url
    try:
        public_addresses.parse_url(url)
    except URLNotAllowed as error:
        raise InvalidCalendarUrl(error.detail) from None
    return url


def fetch(url: str, *, seen: Seen | None = None) -> Fetched:
    """Raises CalendarUnavailable, which says what to do."""
    seen = seen or Seen()
    headers = {"Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "identity", "User-Agent": AGENT}
    headers |= {"If-None-Match": seen.etag} if seen.etag else {}
    headers |= {"If-Modified-Since": seen.modified} if seen.modified else {}
    answer = _follow(url, headers)
    if answer.status == 304:
        return Fetched(None, seen)
    if answer.status in _WITHDRAWN:
        raise CalendarUnavailable(
            TranslatableMessage(
                _("The channel answered {status}: the address was withdrawn. Copy it anew from the channel."),
                status=answer.status,
            )
        )
    if answer.status != 200:
        raise CalendarUnavailable(
            TranslatableMessage(
                _("The channel answered {status}. It will be asked again."), status=answer.status
            )
        )
    named = Seen(answer.headers.get("etag", "")[:200], answer.headers.get("last-modified", "")[:60])
    return Fetched(answer.body, named)


def _follow(url: str, headers: dict[str, str]) -> Response:
    ends = time.monotonic() + SECONDS
    for _hop in range(_REDIRECTS + 1):
        left = max(0.1, ends - time.monotonic())
        try:
            answer = send_request("GET", url, headers=headers, timeout=left, max_bytes=MOST_BYTES)
        except (URLNotAllowed, RequestFailed) as error:
            raise CalendarUnavailable(error.detail) from None
        if answer.status not in _REDIRECTING:
            return answer
        try:
            url = urljoin(url, answer.headers.get("location", ""))
        except ValueError:
            raise CalendarUnavailable(
                TranslatableMessage(_("The channel leads on to what is no address."))
            ) from None
    raise CalendarUnavailable(
        TranslatableMessage(
            _("The address leads on more than {times} times. Copy it anew from the channel."),
            times=_REDIRECTS,
        )
    )
