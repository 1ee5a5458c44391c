"""/api/v1/{rooms,availability,locks}/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from locks.api.holds import HoldViewSet
from locks.api.rooms import AvailabilityView, RoomViewSet

_router = SimpleRouter()
_router.register("rooms", RoomViewSet, basename="room")
_router.register("locks", HoldViewSet, basename="lock")

urlpatterns = [*_router.urls, path("availability/", AvailabilityView.as_view(), name="availability")]
