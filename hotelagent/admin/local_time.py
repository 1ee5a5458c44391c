"""The admin's clock is the hotel's: staff read and type its local time. Clients of the API get UTC."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tenants.context import current_tenant

PAGES = "/admin/"


class HotelTimeZoneMiddleware:
    """Middleware, inside of the hotel's context: activates its time zone for the admin's pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PAGES):
            return self.get_response(request)
        with timezone.override(zoneinfo.ZoneInfo(current_tenant().time_zone)):
            return self.get_response(request)
