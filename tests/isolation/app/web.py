"""A small web site for the tests of isolation.

The host name selects the hotel, and one view renders its response lazily.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework import generics, serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer

from tests.isolation.app.models import Marker

#: A list with one function, which returns the context of the hotel with a name. The workload adds the function.
enter_hotel: list[Callable[[str], Any]] = []


class HostMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with enter_hotel[0](request.get_host().partition(".")[0]):
            return self.get_response(request)


class MarkerSerializer(serializers.ModelSerializer[Marker]):
    user = serializers.SerializerMethodField()

    class Meta:
        model = Marker
        fields = ["hotel", "user"]

    def get_user(self, marker: Marker) -> str:
        return str(self.context["request"].user.hotel)


class Markers(generics.ListAPIView[Marker]):
    """A view that lists rows of the test table `marker`. The query runs only when the response is rendered."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]
    renderer_classes = [JSONRenderer]
    serializer_class = MarkerSerializer
    pagination_class = None

    def get_queryset(self) -> Any:
        self.request.session["seen"] = self.request.session.get("seen", 0) + 1
        return Marker.objects.filter(n__lte=5)


urlpatterns = [path("markers/", Markers.as_view())]
