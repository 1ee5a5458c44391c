"""Conditional requests (RFC 9110, section 13): the ETags of resources, and the headers If-Match and If-None-Match."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from tenants.errors import DomainError

#: The regular expression of the headers If-Match and If-None-Match: `*` or a list of entity tags (RFC 9110).
ENTITY_TAGS = r'^(\*|(W/)?"[!#-+\--~]*"(, *(W/)?"[!#-+\--~]*")*)$'
#: The OpenAPI parameter of operations that change a resource only if the client knows its current version.
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    pattern=ENTITY_TAGS,
    description="The `ETag` of the version that you have, a list of ETags, or `*`. If the resource has another "
    "version, it is not changed. Without this header, changes that others made in the meantime are overwritten.",
)
#: The OpenAPI parameter of operations in which the client chooses the URL of the new resource.
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    pattern=ENTITY_TAGS,
    description="`*` to create the resource only if it does not exist.",
)
#: The OpenAPI response header of operations whose successful responses contain the ETag of the resource.
ETAG = OpenApiParameter("ETag", str, OpenApiParameter.HEADER, response=[200, 201, 202])
#: The status and the description of the response to a request with a wrong `If-Match` (for `problem_responses`).
PRECONDITION_FAILED = (412, "The version differs from `If-Match` (`/problems/precondition-failed`).")


class PreconditionFailed(DomainError):
    """The resource no longer has a version that the request allows with `If-Match` or `If-None-Match`."""

    code = "precondition-failed"
    status = 412
    title = gettext_lazy("The resource was changed by someone else")


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditions of a request: the resource is changed only if its version meets them.

    `if_match` contains the allowed versions, and `if_none_match` contains the excluded versions. Each list contains the
    entity tags of one header, or only `*` (any version). If the header is missing, the list is empty.
    """

    if_match: list[str]
    if_none_match: list[str]

    @classmethod
    def of(cls, request: Request) -> Preconditions:
        """Return the preconditions of a request. Raises ParseError if a header contains neither `*` nor entity tags."""
        return cls(_entity_tags(request, "If-Match"), _entity_tags(request, "If-None-Match"))

    def allow(self, version: str | None) -> bool:
        """Return whether the request may change the resource.

        `version` is the ETag of the resource without quotation marks, or None if the resource does not exist.
        If-Match never matches a weak entity tag (RFC 9110, 8.8.3.2).
        """
        if version is None:
            return not self.if_match
        tag = f'"{version}"'
        is_matched = not self.if_match or self.if_match == ["*"] or tag in self.if_match
        excluded = {other.removeprefix("W/") for other in self.if_none_match}
        return is_matched and not excluded & {"*", tag}


def _entity_tags(request: Request, header: str) -> list[str]:
    value = request.headers.get(header)
    tags = parse_etags(value) if value is not None else []
    if value is not None and not tags:
        raise exceptions.ParseError(
            _('The header {header} must be * or contain ETags in quotation marks, such as "3f2a".').format(
                header=header
            )
        )
    return tags


def version_of(body: Any) -> str:
    """Return the version of a resource: the digest of its JSON representation."""
    return hashlib.sha256(JSONRenderer().render(body)).hexdigest()[:32]
