"""The download of calendars from channels, with limits on time, size and redirects.

Redirects to private IP addresses are not followed. Calendar URLs contain a secret token, so error messages contain
only the host of a URL.
"""

from __future__ import annotations

import re
import time
import zlib
from dataclasses import dataclass
from urllib.parse import urljoin

from django.utils.translation import gettext_noop as _

from hotelagent.core import public_addresses
from hotelagent.core.http_client import RequestFailed, Response, send_request
from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.public_addresses import URLNotAllowed
from reminders.errors import CalendarUnavailable, InvalidCalendarUrl
from reminders.reservations.calendars.content import MAX_BYTES

#: The User-Agent begins with "Mozilla", as in browsers, because some servers refuse all other clients.
_USER_AGENT = "Mozilla/5.0 (compatible; hotelagent-calendars/1)"
#: The maximum duration of a download in seconds, including redirects.
TIMEOUT = 20.0
_MAX_REDIRECTS = 3
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
#: Error messages for the usual HTTP statuses of refused downloads. All other statuses share a general message.
_STATUS_MESSAGES = {
    401: _(
        "The channel requires a login for this URL (status {status}). Link the calendar again with its public URL."
    ),
    403: _(
        "The channel refused the request of this server (status {status}), although the URL may be valid. Ask the "
        "channel to allow automatic requests. The import will be retried."
    ),
    404: _("The channel has withdrawn this URL (status {status}). Link the calendar again with its new URL."),
    410: _("The channel has withdrawn this URL (status {status}). Link the calendar again with its new URL."),
    429: _("The channel received too many requests (status {status}). The import will be retried."),
}
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Validators:
    """The ETag and Last-Modified headers, which identify a version of a calendar (RFC 9110, section 8.8)."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """The result of a download. `content` is None if the calendar has not changed since the previous download.

    `charset` is the charset that the response declares, or an empty string.
    """

    content: bytes | None
    validators: Validators
    charset: str = ""


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
    """Download the calendar, unless it has not changed since the download that returned `validators`.

    Raises CalendarUnavailable.
    """
    validators = validators or Validators()
    headers = {
        "Accept": "text/calendar, */*;q=0.1",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": _USER_AGENT,
    }
    headers |= {"If-None-Match": validators.etag} if validators.etag else {}
    headers |= {"If-Modified-Since": validators.last_modified} if validators.last_modified else {}
    response = _follow_redirects(url, headers)
    if response.status == 304:
        return Download(None, validators)
    if response.status != 200:
        message = _STATUS_MESSAGES.get(
            response.status, _("The channel replied with status {status}. The import will be retried.")
        )
        raise CalendarUnavailable(TranslatableMessage(message, status=response.status))
    etag, last_modified = response.headers.get("etag", ""), response.headers.get("last-modified", "")
    charset = _CHARSET.search(response.headers.get("content-type", ""))
    return Download(
        _decompress(response.body, response.headers.get("content-encoding", "")),
        Validators(etag[:200], last_modified[:60]),
        charset=charset[1] if charset else "",
    )


def _decompress(body: bytes, encoding: str) -> bytes:
    """Return the content of a response with this `Content-Encoding`. Raises CalendarUnavailable."""
    for coding in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if coding in {"gzip", "x-gzip", "deflate"}:
            body = _inflate(body)
        elif coding != "identity":
            text = _(
                "The channel uses the compression {encoding}, which is not supported. Ask the channel to use gzip."
            )
            raise CalendarUnavailable(TranslatableMessage(text, encoding=coding[:40]))
    return body


def _inflate(body: bytes) -> bytes:
    """Decompress data that was compressed with gzip or deflate.

    The result has at most one byte more than MAX_BYTES. RFC 9110 requires a zlib header for deflate, but many servers
    omit this header.
    """
    for window_bits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):
        decompressor = zlib.decompressobj(window_bits)
        try:
            content = decompressor.decompress(body, MAX_BYTES + 1)
        except zlib.error:
            continue
        if decompressor.eof or len(content) > MAX_BYTES:
            return content
    raise CalendarUnavailable(
        TranslatableMessage(
            _("The compressed response from the channel is damaged. The import will be retried.")
        )
    )


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
                TranslatableMessage(
                    _(
                        "The channel redirects to an invalid URL. Link the calendar again with its current URL."
                    )
                )
            ) from None
    raise CalendarUnavailable(
        TranslatableMessage(
            _(
                "Too many redirects (limit: {limit}). Open the URL in a browser, then link the calendar with the URL "
                "that the browser shows."
            ),
            limit=_MAX_REDIRECTS,
        )
    )
