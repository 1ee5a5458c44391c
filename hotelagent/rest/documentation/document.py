"""The OpenAPI documents of hotels and of the platform: their generated operations and their shared components."""

import copy
import json
import re
from enum import StrEnum
from functools import cache
from typing import Any

from django.conf import settings
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator

from hotelagent.rest import problems, response_headers
from hotelagent.rest.documentation import guide
from hotelagent.rest.documentation.examples import add_examples
from hotelagent.rest.documentation.links import add_links
from hotelagent.rest.schema import problem_components

LANGUAGE = "en"
_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
#: The placeholders that drf-spectacular uses for an empty text and for null beside an enumeration.
_PLACEHOLDERS: dict[str, dict[str, Any]] = {
    "#/components/schemas/BlankEnum": {"type": "string", "const": ""},
    "#/components/schemas/NullEnum": {"type": "null"},
}


#: The two schemas with which drf-spectacular and this module describe an empty string.
_EMPTY_TEXTS = (_PLACEHOLDERS["#/components/schemas/BlankEnum"], {"type": "string", "maxLength": 0})


class Host(StrEnum):
    """The kind of a host: a hotel's host or the platform's host. Both have a REST API."""

    HOTEL = "hotel"
    PLATFORM = "platform"

    @property
    def urlconf(self) -> str:
        return str(settings.HOTEL_URLCONF if self is Host.HOTEL else settings.ROOT_URLCONF)

    @property
    def example_server(self) -> dict[str, Any]:
        """The example server in the OpenAPI document that the repository contains."""
        if self is Host.PLATFORM:
            return {"url": "https://hotels.example", "description": "The platform"}
        variables = {"hotel": {"default": "sunrise", "description": "The slug of the hotel."}}
        return {"url": "https://{hotel}.hotels.example", "description": "A hotel", "variables": variables}


def openapi_document(host: Host, *, server: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a kind of host, as it is served at the URL of `server`."""
    document = copy.copy(_document(host, host.urlconf))
    document["servers"] = [server]
    return {name: document[name] for name in _ORDER if name in document}


#: The order of the top-level members of the OpenAPI document.
_ORDER = ("openapi", "info", "servers", "tags", "paths", "webhooks", "components")


@cache
def _document(host: Host, urlconf: str) -> dict[str, Any]:
    """Return the OpenAPI document without its server URL.

    Generating the document takes a second, so each process caches it.
    """
    with translation.override(LANGUAGE):
        document: dict[str, Any] = SchemaGenerator(urlconf=urlconf).get_schema(public=True)  # type: ignore[no-untyped-call]
        document["info"]["description"] = guide.description(is_hotel=host is Host.HOTEL)
        if host is Host.HOTEL and (webhooks := guide.webhooks()):
            document["webhooks"] = webhooks
            document["components"]["securitySchemes"] |= guide.webhook_security_schemes()
    components = document["components"]
    components["headers"] = response_headers.COMPONENTS
    used = set(re.findall(r"#/components/responses/(\w+)", json.dumps(document["paths"], default=str)))
    with translation.override(LANGUAGE):
        responses = problem_components(problems.GENERAL_PROBLEMS)
    components["responses"] = {name: responses[name] for name in sorted(used)}
    components["schemas"] = {
        name: schema
        for name, schema in components["schemas"].items()
        if f"#/components/schemas/{name}" not in _PLACEHOLDERS
    }
    document = _without_placeholders(document)
    by_id = operations_by_id(document)
    for _method, _path, operation in by_id.values():
        add_examples(operation)
    add_links(by_id)
    used_tags = {tag for operation in operations(document) for tag in operation["tags"]}
    document["tags"] = guide.tags(used_tags)
    return document


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all operations of the paths and of the webhooks of an OpenAPI document."""
    items = [*document["paths"].values(), *document.get("webhooks", {}).values()]
    return [operation for item in items for method, operation in item.items() if method in _METHODS]


def operations_by_id(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return the method, the path and the description of each operation of the paths, by its operation id."""
    return {
        operation["operationId"]: (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    }


def _without_placeholders(value: Any) -> Any:
    """Replace the placeholders of drf-spectacular with their values, and correct fields with alternatives.

    The default value is moved from the first alternative to the field. If one alternative allows any JSON value, the
    alternatives are removed.
    """
    if isinstance(value, list):
        return [_without_placeholders(item) for item in value]
    if not isinstance(value, dict):
        return value
    if placeholder := _PLACEHOLDERS.get(value.get("$ref", "")):
        return placeholder
    result = {name: _without_placeholders(item) for name, item in value.items()}
    alternatives = result.get("oneOf")
    if alternatives and {} in alternatives:
        del result["oneOf"]
    elif alternatives and "default" in alternatives[0]:
        result["default"] = alternatives[0].pop("default")
    if alternatives and any(alternative in alternatives for alternative in _EMPTY_TEXTS):
        # Validators need not check a format such as `email`, so an empty text may also match the format.
        result["anyOf"] = result.pop("oneOf")
    return result
