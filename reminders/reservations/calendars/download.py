"""The download of calendars from channels, with limits on time, size and redirects.

Redirects to private IP addresses are not followed. Calendar URLs contain a secret token, so error messages contain
only the host of a URL.
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
from reminders.reservations.calendars.ical_parser import MAX_BYTES

_USER_AGENT = "hotelagent-calendars/1"
#: The maximum duration of a download in seconds, including redirects.
TIMEOUT = 20.0
_MAX_REDIRECTS = 3
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_GONE_STATUSES = frozenset({401, 403, 404, 410})


@dataclass(frozen=True, slots=True)
class Validators:
    """The ETag and Last-Modified headers, which identify a version of a calendar (RFC 9110, section 8.8)."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """The result of a download. `content` is None if the calendar has not changed since the previous download."""

    content: bytes | None
    validators: Validators


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


def download(url: str, *, validators: Validators | None = None) -> Download:
    """Download the calendar if it is not the version that `validators` identify. Raises CalendarUnavailable."""
    validators = validators or Validators()
    headers = {
        "Accept": "text/calendar, */*;q=0.1",
        "Accept-Encoding": "identity",
        "User-Agent": _USER_AGENT,
    }
    headers |= {"If-None-Match": validators.etag} if validators.etag else {}
    headers |= {"If-Modified-Since": validators.last_modified} if validators.last_modified else {}
    response = _follow_redirects(url, headers)
    if response.status == 304:
        return Download(None, validators)
    if response.status in _GONE_STATUSES:
        raise CalendarUnavailable(
            TranslatableMessage(
                _("The channel replied with status {status}. Link the calendar again with its new URL."),
                status=response.status,
            )
        )
    if response.status != 200:
        raise CalendarUnavailable(
            TranslatableMessage(
                _("The channel replied with status {status}. The import will be retried."),
                status=response.status,
            )
        )
    etag, last_modified = response.headers.get("etag", ""), response.headers.get("last-modified", "")
    return Download(response.body, Validators(etag[:200], last_modified[:60]))


def _follow_redirects(url: str, headers: dict[str, str]) -> Response:
    deadline = time.monotonic() + TIMEOUT
    for _redirect in range(_MAX_REDIRECTS + 1):
        timeout = max(0.1, deadline - time.monotonic())
        try:
            response = send_request("GET", url, headers=headers, timeout=timeout, max_bytes=MAX_BYTES)
        except (URLNotAllowed, RequestFailed) as error:
            raise CalendarUnavailable(error.detail) from None
        if response.status not in _REDIRECT_STATUSES:
            return response
        try:
            url = urljoin(url, response.headers.get("location", ""))
        except ValueError:
            raise CalendarUnavailable(
                TranslatableMessage(_("The channel redirects to an invalid URL."))
            ) from None
    raise CalendarUnavailable(
        TranslatableMessage(_("Too many redirects (limit: {limit})."), limit=_MAX_REDIRECTS)
    )
