"""Generation of the OpenAPI 3.1 schema of each operation: summary, required scope, idempotency and errors."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from hotelagent.rest import problems
from hotelagent.rest.errors import PROBLEM_JSON
from hotelagent.rest.idempotency import HEADER, IdempotentMixin
from hotelagent.rest.permissions import required_scope
from hotelagent.rest.problems import Problem

_SUMMARIES = {
    "list": "List {plural}",
    "retrieve": "Retrieve {article} {singular}",
    "create": "Create {article} {singular}",
    "update": "Replace {article} {singular}",
    "partial_update": "Update {article} {singular}",
    "destroy": "Delete {article} {singular}",
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
        queryset = getattr(self.view, "queryset", None)
        template = _SUMMARIES.get(getattr(self.view, "action", "") or "")
        if queryset is None or template is None:
            return None
        meta = queryset.model._meta
        singular = str(meta.verbose_name)
        article = "an" if singular.startswith(("a", "e", "i", "o")) else "a"
        return template.format(article=article, singular=singular, plural=meta.verbose_name_plural)

    def get_description(self) -> str:  # type: ignore[override]
        scope = self.scope()
        return "\n\n".join(
            part
            for part in (super().get_description(), f"Requires the scope `{scope}`." if scope else "")
            if part
        )

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
        if operation is not None and self.scope():
            operation["x-required-scope"] = self.scope()
        return operation

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        """Return the responses of the view, with the problem documents that any view can return."""
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for problem in self.problems():
            bodies.setdefault(str(problem.status), self._problem_body(problem))
        return dict(sorted(bodies.items()))

    def problems(self) -> list[Problem]:
        """Return the general problem types that can occur in this operation, such as \"too many requests\"."""
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

    def _problem_body(self, problem: Problem) -> dict[str, Any]:
        example = OpenApiExample(
            problem.code,
            value={
                "type": problem.type,
                "title": str(problem.title),
                "status": problem.status,
                "detail": str(problem.explanation),
                "request_id": "01a203e7-7538-7000-b926-fbd8a9dddc9d",
            },
            media_type=PROBLEM_JSON,
        )
        response = OpenApiResponse(
            ProblemSerializer, description=f"{problem.title} (`{problem.type}`).", examples=[example]
        )
        return dict(
            self._get_response_for_code(  # type: ignore[no-untyped-call]
                response, str(problem.status), media_types=[PROBLEM_JSON]
            )
        )


def _is_own_handler(handler: Any) -> bool:
    """Return whether this project, and not REST framework, defines the view method.

    Only the docstrings of the project's own methods describe API operations.
    """
    module: str = getattr(handler, "__module__", "")
    return not module.startswith("rest_framework")


def problem_responses(*codes: tuple[int, str]) -> dict[tuple[int, str], OpenApiResponse]:
    """Return descriptions of the problem documents of an operation, for `extend_schema(responses={...})`.

    Each of `codes` is a pair of an HTTP status and a description.
    """
    return {
        (status, PROBLEM_JSON): OpenApiResponse(ProblemSerializer, description=description)
        for status, description in codes
    }
