"""Generation of the OpenAPI 3.1 schema of each operation: summary, required scope, idempotency and errors."""

import re
from collections.abc import Iterable
from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from hotelagent.rest import problems
from hotelagent.rest.errors import PROBLEM_JSON
from hotelagent.rest.idempotency import HEADER, VALID_KEY, IdempotentMixin
from hotelagent.rest.permissions import required_scope
from hotelagent.rest.problems import Problem
from hotelagent.rest.response_headers import header_references
from hotelagent.rest.serializers import StrictMixin

_SUMMARIES = {
    "list": "List {plural}",
    "retrieve": "Retrieve {article} {singular}",
    "create": "Create {article} {singular}",
    "update": "Replace {article} {singular}",
    "partial_update": "Update {article} {singular}",
    "destroy": "Delete {article} {singular}",
}
#: The verb with which the operation id of each action begins. The verb of another action is the name of the action.
_VERBS = {"retrieve": "get", "update": "replace", "partial_update": "update", "destroy": "delete"}
#: Maps each action of `EditableMixin` to the statuses of its responses that contain an ETag.
_EDITABLE_STATUSES = {"retrieve": ("200",), "partial_update": ("200",), "create": ("201", "202")}
#: Maps the first part of a path to the section of the API documentation, if the names differ.
_TAGS = {"dlq": "failures", "locks": "holds", "resolve": "contacts"}
_NOT_MODIFIED = "The resource has not changed since the version in `If-None-Match`."
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The `ETag` of the version that you have, or a list of ETags. If the resource still has this "
    "version, the response is empty and has the status 304.",
}


class FieldErrorSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(
        help_text="Location of the value: a JSON Pointer (RFC 6901) into the body, which is empty for the body as a "
        "whole, or `?name` for a query parameter."
    )
    detail = serializers.CharField(help_text="Description of the error.")


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457). Additional members depend on `type`."""

    type = serializers.CharField(help_text="The problem type: a stable URL of a page that explains it.")
    title = serializers.CharField(help_text="The title of the problem type.")
    status = serializers.IntegerField(help_text="The HTTP status of the response.")
    detail = serializers.CharField(help_text="A description of this occurrence, for people.")
    request_id = serializers.CharField(
        help_text="The id of the request, by which the operator finds it in the log."
    )
    errors = FieldErrorSerializer(  # type: ignore[assignment]  # the base class Serializer has a property `errors`
        many=True,
        required=False,
        help_text="The values that are not valid, if `type` is `/problems/invalid`.",
    )


class OperationSchema(AutoSchema):
    """Generates the OpenAPI schema of an API operation. This is REST framework's `DEFAULT_SCHEMA_CLASS`."""

    def get_summary(self) -> str | None:
        """Return the first line of the view method's docstring, or else a summary such as \"List rooms\"."""
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        docstring = (handler.__doc__ or "").strip() if handler and _is_own_handler(handler) else ""
        if docstring:
            return str(docstring.splitlines()[0].rstrip("."))
        template = _SUMMARIES.get(getattr(self.view, "action", "") or "")
        names = self._resource_names()
        if names is None or template is None:
            return None
        singular, plural = names
        article = "an" if singular.startswith(("a", "e", "i", "o")) else "a"
        return template.format(article=article, singular=singular, plural=plural)

    def get_operation_id(self) -> str:
        """Return the operation id, from which client generators make the name of a method, such as `listRooms`.

        The id of an action that is not about one resource is set with `extend_schema(operation_id=...)`.
        """
        names, action = self._resource_names(), getattr(self.view, "action", None)
        if names is None or action is None:
            verb, *rest = str(super().get_operation_id()).split("_")[::-1]
            return _camel_case(_VERBS.get(verb, verb), *rest[::-1])
        singular, plural = names
        return _camel_case(_VERBS.get(action, action), plural if action in {"list", "export"} else singular)

    def get_tags(self) -> list[str]:
        """Return the section of the operation, which is also the name of a module in generated clients."""
        return [_TAGS.get(tag, tag) for tag in super().get_tags()]

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"

    def _get_serializer_name(self, *args: Any, **options: Any) -> str:
        """Return the OpenAPI name of a serializer. A name such as `PatchedRoomRequest` becomes `RoomUpdate`."""
        name = str(super()._get_serializer_name(*args, **options))
        return re.sub(r"^Patched(\w+?)(Update)?Request$", r"\1Update", name)

    def _map_basic_serializer(self, serializer: Any, direction: Literal["request", "response"]) -> Any:
        """Return the schema of a serializer. Requests with unknown fields are refused, so their schemas say that.

        If a serializer for requests has the attribute `schema_keywords`, the schema has these keywords in addition.
        """
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request":
            if isinstance(serializer, StrictMixin):
                schema["additionalProperties"] = False
            schema |= getattr(serializer, "schema_keywords", {})
        return schema

    def _get_request_for_media_type(self, serializer: Any, *args: Any) -> Any:
        """Return the schema of a body, and whether it is required, as texts and objects with `minProperties` are."""
        schema, is_required = super()._get_request_for_media_type(serializer, *args)  # type: ignore[no-untyped-call]
        is_required |= (schema or {}).get("type") == "string"
        return schema, is_required or "minProperties" in getattr(serializer, "schema_keywords", {})

    def _map_serializer_field(self, field: Any, *args: Any, **options: Any) -> Any:
        schema = super()._map_serializer_field(field, *args, **options)  # type: ignore[no-untyped-call]
        if isinstance(field, serializers.MultipleChoiceField) and not field.allow_empty:
            schema["minItems"] = 1
        if isinstance(field, serializers.DecimalField) and field.decimal_places and field.max_digits:
            # The pattern of drf-spectacular allows a text without digits, and negative numbers below the minimum.
            sign = "" if field.min_value is not None and field.min_value >= 0 else "-?"
            digits = field.max_digits - field.decimal_places
            schema["pattern"] = rf"^{sign}[0-9]{{1,{digits}}}(\.[0-9]{{1,{field.decimal_places}}})?$"
        return schema

    def _parameter_description(self, parameter: dict[str, Any]) -> str:
        """Return a default description, which contains the name of the parameter."""
        singular, plural = self._resource_names() or ("resource", "rows")
        name = str(parameter["name"])
        if parameter["in"] == "path":
            return f"The id of the {name.removesuffix('_id') if name.endswith('_id') else singular}."
        return f"Return only {plural} with this value of `{name}`."

    def _resource_names(self) -> tuple[str, str] | None:
        """Return the singular and the plural of the view's resource, such as \"room\" and \"rooms\"."""
        if name := getattr(self.view, "resource_name", ""):
            return name, f"{name}s"
        queryset = getattr(self.view, "queryset", None)
        meta = queryset.model._meta if queryset is not None else None
        return (str(meta.verbose_name), str(meta.verbose_name_plural)) if meta else None

    def get_description(self) -> str:  # type: ignore[override]
        scope = self.scope()
        text = str(super().get_description() or "")
        # The first line of the docstring is the summary, which readers see directly above the description.
        if text.partition("\n")[0].rstrip(".") == self.get_summary():
            text = text.partition("\n")[2].strip()
        return "\n\n".join(part for part in (text, f"Requires the scope `{scope}`." if scope else "") if part)

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Return the security requirements of the operation: the ways to authenticate, each with the required scope.

        OpenAPI 3.0 allows scopes for OAuth 2 only. OpenAPI 3.1 allows scopes for API keys and sessions too.
        """
        scope = self.scope()
        return [
            {name: [scope] if scope else [] for name in requirement} for requirement in super().get_auth()
        ]

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.is_idempotent():
            parameters.append(
                OpenApiParameter(
                    HEADER,
                    str,
                    OpenApiParameter.HEADER,
                    pattern=f"^{VALID_KEY.pattern}$",
                    description=(
                        "A random value that is new for each request, and the same when a request is repeated. A "
                        "repeated request has no effect and returns the first response with the header "
                        "`Idempotency-Replayed: true`."
                    ),
                )
            )
        return parameters

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        if self.scope():
            operation["x-required-scope"] = self.scope()
        if self.method == "GET" and "ETag" in operation["responses"].get("200", {}).get("headers", ()):
            operation["responses"].setdefault("304", {"description": _NOT_MODIFIED, "headers": {"ETag": {}}})
            operation["parameters"] = [*operation.get("parameters", ()), _IF_NONE_MATCH]
        for parameter in operation.get("parameters", ()):
            parameter.setdefault("description", self._parameter_description(parameter))
        operation["responses"] = dict(sorted(operation["responses"].items()))
        for status, response in operation["responses"].items():
            if "$ref" in response:
                continue
            declared = set(response.get("headers", ()))
            response["headers"] = header_references(
                int(status), declared=declared, is_idempotent=self.is_idempotent()
            )
        return operation

    def _get_response_headers_for_code(self, status_code: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the headers that the operation declares, with the ETag of resources that clients can change."""
        headers = dict(super()._get_response_headers_for_code(status_code, *args, **kwargs))
        action = getattr(self.view, "action", "")
        is_editable = getattr(self.view, "is_editable", False)
        if is_editable and status_code in _EDITABLE_STATUSES.get(action, ()):
            headers["ETag"] = {}
        return headers

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        """Return the responses of the view, with the problem documents that any view can return."""
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for problem in self.problems():
            reference = f"#/components/responses/{_component_name(problem)}"
            bodies.setdefault(str(problem.status), {"$ref": reference})
        return dict(sorted(bodies.items()))

    def problems(self) -> list[Problem]:
        """Return the general problem types that can occur in this operation, such as \"too many requests\"."""
        self.resolve_serializer(ProblemSerializer, "response")
        found = [problems.INVALID]
        if self.scope():
            found += [problems.UNAUTHENTICATED, problems.FORBIDDEN]
        if "{" in self.path:
            found.append(problems.NOT_FOUND)
        if self.is_idempotent():
            found += [problems.IN_FLIGHT, problems.KEY_REUSED]
        return [*found, problems.THROTTLED, problems.SERVER_ERROR, problems.UNAVAILABLE]

    def scope(self) -> str | None:
        return required_scope(self.view, self.method)

    def is_idempotent(self) -> bool:
        return self.method == "POST" and isinstance(self.view, IdempotentMixin)


def problem_components(problems: Iterable[Problem]) -> dict[str, Any]:
    """Return the member `components/responses` of the OpenAPI schema: a response for each problem type."""
    return {_component_name(problem): _problem_response(problem) for problem in problems}


def _component_name(problem: Problem) -> str:
    return "".join(word.title() for word in problem.code.split("-"))


def _problem_response(problem: Problem) -> dict[str, Any]:
    value = {
        "type": problem.type,
        "title": str(problem.title),
        "status": int(problem.status),
        "detail": str(problem.explanation),
        "request_id": "01a203e7-7538-7000-b926-fbd8a9dddc9d",
    }
    if problem is problems.INVALID:
        value["detail"] = "See `errors`."
        value["errors"] = [{"pointer": "/check_in", "detail": "This field is required."}]
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": f"{problem.title} (`{problem.type}`).",
        "headers": header_references(
            problem.status, declared=set(), is_idempotent=problem is problems.IN_FLIGHT
        ),
        "content": {PROBLEM_JSON: {"schema": schema, "examples": {problem.code: {"value": value}}}},
    }


def _is_own_handler(handler: Any) -> bool:
    """Return whether this project, and not REST framework, defines the view method.

    Only the docstrings of the project's own methods describe API operations.
    """
    module: str = getattr(handler, "__module__", "")
    return not module.startswith("rest_framework")


def _camel_case(*words: str) -> str:
    first, *rest = (word.group() for word in re.finditer(r"[A-Za-z0-9]+", " ".join(words)))
    return first.lower() + "".join(word[0].upper() + word[1:] for word in rest)


def problem_responses(*codes: tuple[int, str]) -> dict[tuple[int, str], OpenApiResponse]:
    """Return descriptions of the problem documents of an operation, for `extend_schema(responses={...})`.

    Each of `codes` is a pair of an HTTP status and a description.
    """
    return {
        (status, PROBLEM_JSON): OpenApiResponse(ProblemSerializer, description=description)
        for status, description in codes
    }
