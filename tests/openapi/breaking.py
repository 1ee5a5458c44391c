"""The comparison of two OpenAPI documents, which finds the changes that break clients.

oasdiff, which does the same for many kinds of documents, is a Go program whose support of OpenAPI 3.1 is not complete.
This module knows only what the documents of this project contain.
"""

from collections.abc import Iterator
from typing import Any

from hotelagent.rest.documentation.document import operations_by_id

#: Limits of values. A request breaks if an upper limit becomes smaller or a lower limit becomes larger.
_UPPER_LIMITS = ("maximum", "maxLength", "maxItems", "maxProperties")
_LOWER_LIMITS = ("minimum", "minLength", "minItems", "minProperties")


def breaking_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return a message for each change from the old to the new document that breaks clients of the old one."""
    return sorted(set(_Comparison(old, new).changes()))


class _Comparison:
    """The comparison of two documents. The changes of a component are reported once for each of its uses."""

    def __init__(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        self.old, self.new = old, new
        #: The pairs of schemas that are being compared. They end the recursion if a schema contains itself.
        self._open: set[tuple[str, str, bool]] = set()

    def changes(self) -> Iterator[str]:
        old_operations = _by_url(self.old)
        new_operations = _by_url(self.new)
        for url, old in old_operations.items():
            if url not in new_operations:
                yield f"{url}: the operation was removed"
            else:
                yield from self._operation(url, old, new_operations[url])
        for event, item in self.old.get("webhooks", {}).items():
            new_item = self.new.get("webhooks", {}).get(event)
            if new_item is None:
                yield f"webhook {event}: the event was removed"
            else:
                bodies = [self._body_schema(entry["post"]["requestBody"]) for entry in (item, new_item)]
                yield from self._schema(f"webhook {event}", *bodies, is_request=False)

    def _operation(self, url: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{url}: the operation id {old['operationId']} was renamed to {new['operationId']}"
        yield from self._parameters(url, _parameters(old), _parameters(new))
        if "requestBody" in new:
            yield from self._request(url, old.get("requestBody", {}), new["requestBody"])
        elif "requestBody" in old:
            yield f"{url}: the request body was removed"
        for status, response in old["responses"].items():
            if not status.startswith("2"):
                continue
            if status not in new["responses"]:
                yield f"{url}: the response {status} was removed"
                continue
            where = f"{url}, response {status}"
            new_response = new["responses"][status]
            for header in response.get("headers", {}).keys() - new_response.get("headers", {}).keys():
                yield f"{where}: the header {header} was removed"
            yield from self._contents(where, response, new_response, is_request=False)

    def _parameters(self, url: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        for name, parameter in old.items():
            if name not in new:
                yield f"{url}: the parameter {name} was removed"
            else:
                where = f"{url}, parameter {name}"
                yield from self._schema(where, parameter["schema"], new[name]["schema"], is_request=True)
        for name, parameter in new.items():
            was_required = old.get(name, {}).get("required", False)
            if parameter.get("required") and not was_required:
                yield f"{url}: the parameter {name} is now required"

    def _request(self, url: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{url}: the request body is now required"
        yield from self._contents(f"{url}, request", old, new, is_request=True)

    def _contents(
        self, where: str, old: dict[str, Any], new: dict[str, Any], *, is_request: bool
    ) -> Iterator[str]:
        for media_type, content in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                yield f"{where}: the media type {media_type} was removed"
            else:
                new_schema = new["content"][media_type]["schema"]
                yield from self._schema(where, content["schema"], new_schema, is_request=is_request)

    def _schema(self, where: str, old: Any, new: Any, *, is_request: bool) -> Iterator[str]:
        key = (str(old), str(new), is_request)
        if key in self._open:
            return
        self._open.add(key)
        old, new = _resolved(self.old, old), _resolved(self.new, new)
        yield from _types(where, old, new, is_request=is_request)
        yield from _values(where, old, new)
        if is_request:
            yield from _limits(where, old, new)
        yield from self._properties(where, old, new, is_request=is_request)
        if "items" in old and "items" in new:
            yield from self._schema(f"{where}[]", old["items"], new["items"], is_request=is_request)
        old_parts, new_parts = _alternatives(old), _alternatives(new)
        for number, (old_part, new_part) in enumerate(zip(old_parts, new_parts, strict=False)):
            yield from self._schema(f"{where}/{number}", old_part, new_part, is_request=is_request)
        if is_request and old_parts and len(new_parts) < len(old_parts):
            yield f"{where}: an alternative was removed"
        self._open.discard(key)

    def _properties(self, where: str, old: Any, new: Any, *, is_request: bool) -> Iterator[str]:
        new_properties = new.get("properties", {})
        for name, schema in old.get("properties", {}).items():
            if name not in new_properties:
                yield f"{where}: the field {name} was removed"
            else:
                yield from self._schema(
                    f"{where}.{name}", schema, new_properties[name], is_request=is_request
                )
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        if is_request:
            for name in sorted(new_required - old_required):
                yield f"{where}: the field {name} is now required"
        else:
            for name in sorted((old_required - new_required) & new_properties.keys()):
                yield f"{where}: the field {name} can now be missing"

    def _body_schema(self, body: dict[str, Any]) -> Any:
        return body["content"]["application/json"]["schema"]


def _by_url(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for method, path, operation in operations_by_id(document).values()
    }


def _parameters(operation: dict[str, Any]) -> dict[str, Any]:
    return {parameter["name"]: parameter for parameter in operation.get("parameters", ())}


def _resolved(document: dict[str, Any], schema: Any) -> Any:
    """Return the schema with the members of the component that it refers to."""
    reference = schema.get("$ref")
    if reference is None:
        parts = schema.get("allOf", ())
        return {**schema, **_resolved(document, parts[0])} if len(parts) == 1 else schema
    name = reference.rpartition("/")[2]
    return {**schema, **_resolved(document, document["components"]["schemas"][name])}


def _alternatives(schema: Any) -> list[Any]:
    return schema.get("oneOf") or schema.get("anyOf") or []


def _type_names(schema: Any) -> set[str]:
    names = schema.get("type", [])
    return set(names) if isinstance(names, list) else {names}


def _types(where: str, old: Any, new: Any, *, is_request: bool) -> Iterator[str]:
    """Yield a message if a request no longer accepts a JSON type, or if a response can have a new JSON type."""
    before, after = _type_names(old), _type_names(new)
    if not (before and after):
        return
    wrong = before - after if is_request else after - before
    if "number" in after and is_request:
        wrong -= {"integer"}
    for name in sorted(wrong):
        yield f"{where}: the type {name} " + ("was removed" if is_request else "was added")


def _values(where: str, old: Any, new: Any) -> Iterator[str]:
    if "enum" in new and "enum" in old:
        for value in sorted(map(str, set(old["enum"]) - set(new["enum"]))):
            yield f"{where}: the value {value} was removed"


def _limits(where: str, old: Any, new: Any) -> Iterator[str]:
    if "enum" in new and "enum" not in old:
        yield f"{where}: the values are now restricted"
    for names, is_narrower in ((_UPPER_LIMITS, int.__lt__), (_LOWER_LIMITS, int.__gt__)):
        for name in names:
            if name in new and (name not in old or is_narrower(new[name], old[name])):
                yield f"{where}: {name} changed from {old.get(name, 'none')} to {new[name]}"
    for name in ("pattern", "format"):
        if new.get(name) != old.get(name) and name in new:
            yield f"{where}: {name} changed from {old.get(name, 'none')} to {new[name]}"
    if new.get("additionalProperties") is False and old.get("additionalProperties", True) is not False:
        yield f"{where}: unknown fields are now refused"
