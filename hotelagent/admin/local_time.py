"""The time zone of the admin: staff see and enter the hotel's local time. The API uses UTC."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tenants.context import current_tenant

PATH_PREFIX = "/admin/"


class HotelTimeZoneMiddleware:
    """Activates the hotel's time zone for the pages of the admin. Must be listed after HotelMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PATH_PREFIX):
            return self.get_response(request)
        with timezone.override(zoneinfo.ZoneInfo(current_tenant().time_zone)):
            return self.get_response(request)
