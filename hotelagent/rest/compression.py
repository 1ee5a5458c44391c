"""The middleware that compresses responses of the REST API with gzip."""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from rest_framework.permissions import SAFE_METHODS

#: The paths whose responses may be compressed.
_PATHS = ("/api/v", "/api/schema/")
#: Matches an Accept-Encoding header such as `gzip;q=0`, which refuses gzip. Django's middleware would send gzip
#: nevertheless.
_REFUSES_GZIP = re.compile(r"\bgzip\s*;\s*q=0(\.0*)?\s*(,|\Z)", re.IGNORECASE)


class CompressionMiddleware(GZipMiddleware):
    """Compresses responses of the REST API for clients that accept gzip.

    The size of a compressed response can reveal a secret if an attacker chooses a part of the response and the victim's
    browser sends the request (BREACH). So only responses without secrets are compressed, to requests that no browser
    sends on its own:

    - Responses to GET and HEAD. Tokens, keys and signing secrets are only in responses to POST.
    - Responses to requests without cookies: the client has sent an API key, or the response is public.

    A compressed response would need another strong ETag than the uncompressed one (RFC 9110, section 8.8.3). Clients
    send ETags in `If-Match`, which compares strong ETags. So responses with an ETag are not compressed.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return super().process_response(request, response) if _may_compress(request, response) else response


def _may_compress(request: HttpRequest, response: HttpResponseBase) -> bool:
    return (
        request.method in SAFE_METHODS
        and request.path_info.startswith(_PATHS)
        and not _REFUSES_GZIP.search(request.headers.get("Accept-Encoding", ""))
        and not request.COOKIES
        and not response.cookies
        and not response.has_header("ETag")
    )
