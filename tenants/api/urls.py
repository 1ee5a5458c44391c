"""The URLs of the platform's REST API, which only the platform's host serves."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from hotelagent.rest.views import UUID_REGEX
from tenants.api.contacts import ContactsViewSet, ResolveView
from tenants.api.hotels import HotelsViewSet

_router = SimpleRouter()
_router.register("hotels", HotelsViewSet, basename="hotel")
_router.register(rf"hotels/(?P<hotel_id>{UUID_REGEX})/contacts", ContactsViewSet, basename="hotel-contact")

urlpatterns = [*_router.urls, path("resolve/", ResolveView.as_view(), name="resolve")]
