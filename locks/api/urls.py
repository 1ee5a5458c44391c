"""The URLs of the REST API for rooms, holds, the waiting list and webhooks."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from locks.api.holds import HoldViewSet
from locks.api.rooms import AvailabilityView, RoomViewSet
from locks.waiting_list.api import WaitingListViewSet
from locks.webhooks.api import RotateSecretView, WebhookTestView, WebhookViewSet

_router = SimpleRouter()
_router.register("rooms", RoomViewSet, basename="room")
_router.register("locks", HoldViewSet, basename="lock")
_router.register("waiting-list", WaitingListViewSet, basename="waiting-list")
_router.register("webhooks", WebhookViewSet, basename="webhook")

urlpatterns = [
    *_router.urls,
    path("availability/", AvailabilityView.as_view(), name="availability"),
    path("webhooks/<uuid:pk>/test/", WebhookTestView.as_view(), name="webhook-test"),
    path("webhooks/<uuid:pk>/rotate-secret/", RotateSecretView.as_view(), name="webhook-rotate-secret"),
]
