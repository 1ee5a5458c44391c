"""/api/v1/{rooms,availability,locks,waiting-list,webhooks}/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from locks.api.holds import HoldViewSet
from locks.api.rooms import AvailabilityView, RoomViewSet
from locks.waiting_list.api import WaitingViewSet
from locks.webhooks.api import PingView, RotateSecretView, WebhookViewSet

_router = SimpleRouter()
_router.register("rooms", RoomViewSet, basename="room")
_router.register("locks", HoldViewSet, basename="lock")
_router.register("waiting-list", WaitingViewSet, basename="waiting")
_router.register("webhooks", WebhookViewSet, basename="webhook")

urlpatterns = [
    *_router.urls,
    path("availability/", AvailabilityView.as_view(), name="availability"),
    path("webhooks/<uuid:pk>/ping/", PingView.as_view(), name="webhook-ping"),
    path("webhooks/<uuid:pk>/rotate-secret/", RotateSecretView.as_view(), name="webhook-rotate-secret"),
]
