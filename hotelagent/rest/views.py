"""The base classes of every API view: scopes, throttles, problems, the actor, and the request's headers."""

from contextlib import ExitStack
from typing import Any, ClassVar

from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from hotelagent.rest.errors import MissingScope
from tenants.access.actors import api_actor
from tenants.context import actor_context
from tenants.signals import permission_denied

#: The `lookup_value_regex` of what has a UUID for a key: no other address leads to a view.
UUID_REGEX = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class HotelAPIView(APIView):
    """A view of a hotel's (or the platform's) API.

    `required_scopes` names the scope of every method; a method without one is refused to everybody. Inside a
    handler `current_actor()` is the key or the member of staff that asks.
    """

    required_scopes: ClassVar[dict[str, str]] = {}

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as self._while_handled:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        try:
            super().initial(request, *args, **kwargs)
        except (exceptions.NotAuthenticated, exceptions.AuthenticationFailed):
            self.check_throttles(request)  # who guesses keys is slowed down too, by address
            raise
        except MissingScope as refusal:
            self.check_throttles(request)  # each denied request records an audit event
            with actor_context(api_actor(request)):
                permission_denied.send(
                    sender=type(self),
                    request=request._request,
                    user=request.user,
                    permission=refusal.scope,
                )
            raise
        self._while_handled.enter_context(actor_context(api_actor(request)))

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        result = getattr(request._request, "throttle_result", None)
        if result is not None:
            for name, value in result.headers.items():
                response[name] = value
        # An answer belongs to who asked: no cache on the way may give it to another.
        response.setdefault("Cache-Control", "no-store")
        return response


class HotelViewSet(HotelAPIView, GenericViewSet[Any]):
    """Several operations on one thing; the view set adds those it has, each calling one service."""


class HotelReadOnlyViewSet(HotelAPIView, ReadOnlyModelViewSet[Any]):
    """A list, newest first, and one of it."""
