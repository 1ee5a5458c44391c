"""The URLs of the REST API of the PMS."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from hotelagent.pms.api.views import BookingViewSet, ChangesView, OffersView, RateViewSet

_router = SimpleRouter()
_router.register("pms/bookings", BookingViewSet, basename="pms-booking")
_router.register("pms/rates", RateViewSet, basename="pms-rate")

urlpatterns = [
    path("pms/offers/", OffersView.as_view(), name="pms-offers"),
    path("pms/changes/", ChangesView.as_view(), name="pms-changes"),
    *_router.urls,
]
