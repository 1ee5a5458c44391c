"""The OpenAPI 3.1 description: every operation says what it does, which scope it needs and how it can fail."""

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
    "list": "List {things}",
    "retrieve": "Read one {thing}",
    "create": "Make a {thing}",
    "update": "Replace a {thing}",
    "partial_update": "Change a {thing}",
    "destroy": "Delete a {thing}",
}


class FieldErrorSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(
        help_text="Where: a JSON Pointer (RFC 6901) into the body, empty for the body as a whole; `?name` for a "
        "parameter of the address."
    )
    detail = serializers.CharField(help_text="What is wrong.")


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457). Further members depend on `type`."""

    type = serializers.CharField(help_text="Which kind of problem: a stable address with its explanation.")
    title = serializers.CharField(help_text="The kind, in words.")
    status = serializers.IntegerField(help_text="The HTTP status, again.")
    detail = serializers.CharField(help_text="What happened in this case.")
    request_id = serializers.CharField(help_text="Under which the operator finds this request.")
    errors = FieldErrorSerializer(  # type: ignore[assignment]  # a member of this name
        many=True, required=False, help_text="With `/problems/invalid`: each value."
    )


class OperationSchema(AutoSchema):
    """REST framework's `DEFAULT_SCHEMA_CLASS`."""

    def get_summary(self) -> str | None:
        """The first line of the handler's docstring (or of `extend_schema`), else from the model's name."""
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        own = (handler.__doc__ or "").strip() if handler and _is_ours(handler) else ""
        if own:
            return str(own.splitlines()[0].rstrip("."))
        queryset = getattr(self.view, "queryset", None)
        template = _SUMMARIES.get(getattr(self.view, "action", "") or "")
        if queryset is None or template is None:
            return None
        meta = queryset.model._meta
        return template.format(thing=meta.verbose_name, things=meta.verbose_name_plural)

    def get_description(self) -> str:  # type: ignore[override]
        scope = self.scope()
        return "\n\n".join(
            part
            for part in (super().get_description(), f"Needs the scope `{scope}`." if scope else "")
            if part
        )

    def get_auth(self) -> list[dict[str, list[str]]]:
        """OpenAPI 3.1 lets a requirement of any kind carry the roles it needs: here, the scope."""
        scope = self.scope()
        return [{name: [scope] if scope else [] for name in way} for way in super().get_auth()]

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.is_idempotent():
            parameters.append(
                OpenApiParameter(
                    HEADER,
                    str,
                    OpenApiParameter.HEADER,
                    description=(
                        "A new random value for each thing to be made; the same value when a request is "
                        "repeated. The first answer is then given again, with `Idempotency-Replayed: true`."
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
        """The view's own answers, and the problems that any operation of its kind can meet."""
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for problem in self.problems():
            bodies.setdefault(str(problem.status), self._problem(problem))
        return dict(sorted(bodies.items()))

    def problems(self) -> list[Problem]:
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

    def _problem(self, problem: Problem) -> dict[str, Any]:
        example = OpenApiExample(
            problem.code,
            value={
                "type": problem.type,
                "title": problem.title,
                "status": problem.status,
                "detail": problem.meaning,
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


def _is_ours(handler: Any) -> bool:
    """REST framework's own handlers have docstrings that say nothing about the thing."""
    module: str = getattr(handler, "__module__", "")
    return not module.startswith("rest_framework")


def problem_responses(*codes: tuple[int, str]) -> dict[tuple[int, str], OpenApiResponse]:
    """For `extend_schema(responses={...})`: an operation's own refusals, as (status, what it means)."""
    return {
        (status, PROBLEM_JSON): OpenApiResponse(ProblemSerializer, description=meaning)
        for status, meaning in codes
    }
