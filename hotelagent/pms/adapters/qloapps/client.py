"""Requests to the web service of QloApps, and the translation of its errors."""

from __future__ import annotations

import base64
import email.utils
import json
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext_noop as _

from hotelagent.core import http_client
from hotelagent.core.http_client import Response
from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.text import single_line
from hotelagent.pms import policy
from hotelagent.pms.adapters.interface import ConnectionSettings
from hotelagent.pms.errors import (
    BookingRefused,
    InvalidPmsResponse,
    PmsAccessDenied,
    PmsError,
    PmsNotConfigured,
    PmsOutcomeUnknown,
    PmsUnavailable,
)

#: QloApps answers with these statuses before it books anything.
_REFUSALS = frozenset({400, 404, 405})
_MAX_NOTICES = 50


class Client:
    """A client of the web service. The access key is the user name of the Basic authentication."""

    def __init__(self, settings: ConnectionSettings) -> None:
        if not settings.url or not settings.key or not settings.property_id:
            raise PmsNotConfigured(
                TranslatableMessage(_("Enter the URL, the access key and the number of the property."))
            )
        self._base_url = settings.url.rstrip("/")
        credentials = base64.b64encode(f"{settings.key}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "User-Agent": "hotelagent-pms/1"}
        self._before_request = settings.before_request

    def get(self, path: str, **query: str) -> Any:
        """Return the decoded JSON of a resource, or None if there is no such resource (404)."""
        response = self._read("GET", path, query)
        return None if response.status == 404 else self._decode(response)

    def search(self, path: str, document: str) -> Any:
        """Send a search as XML with POST and return the decoded JSON of the result. The search changes nothing."""
        response = self._read("POST", path, {}, body=document.encode(), content_type="text/xml")
        if response.status == 404:
            raise _error_of(response, InvalidPmsResponse)
        return self._decode(response)

    def change(self, method: str, path: str, document: dict[str, Any]) -> Any:
        """Send a change as JSON, once, and return the decoded JSON of the response.

        Raises PmsOutcomeUnknown unless it is certain that QloApps has not made the change.
        """
        try:
            response = self._send(
                method,
                path,
                {},
                body=json.dumps(document).encode(),
                content_type="application/json",
                timeout=policy.WRITE_TIMEOUT_SECONDS,
            )
        except http_client.RequestFailed as error:
            if error.was_sent:
                raise PmsOutcomeUnknown(error.detail) from error
            raise PmsUnavailable(error.detail) from error
        if response.status in _REFUSALS:
            raise _error_of(response, BookingRefused)
        if problem := _access_or_load_error(response):
            raise problem
        if not 200 <= response.status < 300:
            raise _error_of(response, PmsOutcomeUnknown)
        try:
            return self._decode(response)
        except InvalidPmsResponse as error:
            raise PmsOutcomeUnknown(error.detail) from error

    def _read(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        *,
        body: bytes | None = None,
        content_type: str = "",
    ) -> Response:
        try:
            response = self._send(
                method, path, query, body=body, content_type=content_type, timeout=policy.READ_TIMEOUT_SECONDS
            )
        except http_client.RequestFailed as error:
            raise PmsUnavailable(error.detail) from error
        if problem := _access_or_load_error(response):
            raise problem
        if response.status >= 500:
            raise _error_of(response, PmsUnavailable)
        if response.status != 404 and not 200 <= response.status < 300:
            raise _error_of(response, InvalidPmsResponse)
        return response

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        *,
        body: bytes | None,
        content_type: str,
        timeout: float,
    ) -> Response:
        self._before_request()
        headers = self._headers | ({"Content-Type": content_type} if content_type else {})
        try:
            return http_client.send_request(
                method,
                f"{self._base_url}/api/{path}?{urlencode(query | {'output_format': 'JSON'})}",
                headers=headers,
                body=body,
                timeout=timeout,
                max_bytes=policy.MAX_RESPONSE_BYTES,
            )
        except http_client.URLNotAllowed as error:
            raise PmsNotConfigured(error.detail) from error

    @staticmethod
    def _decode(response: Response) -> Any:
        """Return the JSON object or array in the response, which may follow PHP notices. Raises InvalidPmsResponse."""
        text = response.body.decode("utf-8", "replace")
        decoder = json.JSONDecoder()
        position = -1
        for _attempt in range(_MAX_NOTICES):
            starts = [
                start for start in (text.find("{", position + 1), text.find("[", position + 1)) if start >= 0
            ]
            if not starts:
                break
            position = min(starts)
            with suppress(ValueError):
                value, end = decoder.raw_decode(text, position)
                if not text[end:].strip():
                    return value
        raise InvalidPmsResponse(
            TranslatableMessage(
                _("The response of the property management system is not JSON (HTTP status {status})."),
                status=response.status,
            )
        )


def _access_or_load_error(response: Response) -> PmsError | None:
    """Return the error of a response whose status says that QloApps did not process the request, otherwise None."""
    if response.status in {401, 403}:
        return PmsAccessDenied(
            TranslatableMessage(
                _(
                    "QloApps does not accept the access key (HTTP status {status}). Check the key and its permissions "
                    "under Advanced Parameters, Webservice."
                ),
                status=response.status,
            )
        )
    if response.status == 429:
        return PmsUnavailable(
            TranslatableMessage(_("QloApps has received too many requests.")),
            retry_after=_retry_after(response),
        )
    if 300 <= response.status < 400:
        return PmsUnavailable(
            TranslatableMessage(_("QloApps redirects to another URL. Enter the final URL in the connection."))
        )
    return None


def _error_of(response: Response, error_class: type[PmsError]) -> PmsError:
    """Return an error with the message of QloApps, or with the HTTP status if the response contains no message."""
    with suppress(InvalidPmsResponse, AttributeError, TypeError, KeyError, IndexError):
        messages = [str(error["message"]) for error in Client._decode(response)["errors"]]  # noqa: SLF001
        if messages:
            return error_class(
                TranslatableMessage(_("QloApps reports: {message}"), message=single_line(messages[0])[:300])
            )
    return error_class(
        TranslatableMessage(_("QloApps responded with HTTP status {status}."), status=response.status)
    )


def _retry_after(response: Response) -> float | None:
    """Return the number of seconds in the header Retry-After (RFC 9110, section 10.2.3), or None."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    with suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None
