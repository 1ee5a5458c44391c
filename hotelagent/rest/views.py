"""The base classes of all API views, which check scopes and rate limits and set the actor for the audit trail."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

from django.db import transaction
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from hotelagent.rest.conditional import PreconditionFailed, Preconditions, version_of
from hotelagent.rest.errors import MissingScope
from tenants.access.actors import api_actor
from tenants.context import actor_context
from tenants.signals import permission_denied, personal_data_read

#: Value of `lookup_value_regex` for view sets of models with a UUID as primary key.
UUID_REGEX = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class HotelAPIView(APIView):
    """Base class of the API views of hotels and of the platform.

    `required_scopes` maps each HTTP method to the scope that it requires. Requests with a method that is not listed
    are always denied. During a request, `current_actor()` is the API key or the member of staff that sent the request.
    """

    required_scopes: ClassVar[dict[str, str]] = {}
    #: The kind of the records that GET returns, such as "reservation". Empty if they do not identify people.
    personal_data: ClassVar[str] = ""
    #: The name of the resource in the OpenAPI schema, such as "hold". Empty for the `verbose_name` of the model.
    resource_name: ClassVar[str] = ""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as self._request_contexts:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        try:
            super().initial(request, *args, **kwargs)
        except (exceptions.NotAuthenticated, exceptions.AuthenticationFailed):
            # REST framework checks rate limits after authentication. Check them here to limit guesses of API keys.
            self.check_throttles(request)
            raise
        except MissingScope as error:
            # Denied requests count for the rate limit too, because each of them is recorded in the audit trail.
            self.check_throttles(request)
            with actor_context(api_actor(request)):
                permission_denied.send(
                    sender=type(self),
                    request=request._request,
                    user=request.user,
                    permission=error.scope,
                )
            raise
        self._request_contexts.enter_context(actor_context(api_actor(request)))

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002 - the signature of Django
        """Return an empty response. Its header `Allow` lists the methods, which the OpenAPI schema describes."""
        return Response(status=status.HTTP_204_NO_CONTENT)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        result = getattr(request._request, "throttle_result", None)
        if result is not None:
            for name, value in result.headers.items():
                response[name] = value
        # Responses depend on the credentials, so caches must not store them and return them to other clients.
        response.setdefault("Cache-Control", "no-store")
        if request.method == "GET" and response.status_code == HTTPStatus.OK:
            if response.has_header("ETag"):
                # A client whose header If-None-Match has the current ETag receives the status 304 without a body.
                conditional: Any = get_conditional_response(
                    request._request, etag=response["ETag"], response=response
                )
                response = conditional
            # A streamed response sends the signal for each batch of records (`lists/csv_export.py`).
            if self.personal_data and response.status_code == HTTPStatus.OK and not response.streaming:
                personal_data_read.send(
                    type(self),
                    request=request._request,
                    kind=self.personal_data,
                    ids=_record_ids(response.data),
                )
        return response


def _record_ids(data: Any) -> list[str]:
    """Return the ids of the records in a response: a page, a list, or one record."""
    rows = data.get("results", [data]) if isinstance(data, dict) else data
    return [str(row["id"]) for row in rows]


class HotelViewSet(HotelAPIView, GenericViewSet[Any]):
    """Base class of view sets without default operations. Each operation of a subclass calls one service."""

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add the URL of a new resource to a response with the status 201 (RFC 9110, section 15.3.2)."""
        if response.status_code == HTTPStatus.CREATED and "Location" not in response:
            response["Location"] = self.reverse_action("detail", args=[response.data["id"]])
        return super().finalize_response(request, response, *args, **kwargs)


class EditableMixin(HotelViewSet):
    """Mixin for view sets with resources that clients can change. Responses contain the ETag of the resource.

    A change with `If-Match` is refused if the resource was changed since the client read it.
    """

    #: Whether responses contain an ETag. The OpenAPI schema reads this attribute.
    is_editable: ClassVar[bool] = True

    def resource_response(self, instance: Any, *, status_code: int = status.HTTP_200_OK) -> Response:
        """Return a response with the resource and its ETag."""
        body: Any = self.get_serializer(instance).data
        return Response(body, status=status_code, headers={"ETag": f'"{version_of(body)}"'})

    def retrieve(self, _request: Request, *_args: Any, **_kwargs: Any) -> Response:
        return self.resource_response(self.get_object())

    @contextmanager
    def changeable_object(self) -> Iterator[Any]:
        """Begin a transaction, and return the object that the request changes.

        If the request has preconditions, the row is locked and compared with them. Raises PreconditionFailed.
        """
        preconditions = Preconditions.of(self.request)
        with transaction.atomic():
            instance = self.get_object()
            if preconditions.if_match or preconditions.if_none_match:
                rows = self.get_queryset().select_for_update(of=("self",))
                instance = get_object_or_404(rows, pk=instance.pk)
                if not preconditions.allow(version_of(self.get_serializer(instance).data)):
                    raise PreconditionFailed(
                        _("The resource was changed since you read it. Read it again and repeat your change.")
                    )
            yield instance


class HotelReadOnlyViewSet(HotelAPIView, ReadOnlyModelViewSet[Any]):
    """Base class of read-only view sets, which list the rows of a model, newest first, and return single rows."""
