"""The base class that adds the front desk's pages to the admin class of reservations."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from hotelagent.admin.base import HotelModelAdmin
from reminders.admin.front_desk import board_guests  # noqa: F401 - registers the guests of the room board
from reminders.admin.front_desk.new_reservation import new_reservation_view
from reminders.admin.front_desk.room_views import ROOM_PAGES
from reminders.admin.front_desk.status_views import OPERATIONS, operation_view, panel_view


class FrontDeskPages(HotelModelAdmin):
    """Base class of the reservation admin. Its add page is the front desk's page "New reservation"."""

    def get_urls(self) -> list[URLPattern]:
        operations = {name: operation_view(name) for name in OPERATIONS}
        pages = {**operations, **ROOM_PAGES, "panel": panel_view}
        urls = [
            path(
                f"<uuid:pk>/{name.replace('_', '-')}/",
                self.admin_site.admin_view(view),
                name=f"reminders_reservation_{name}",
            )
            for name, view in pages.items()
        ]
        return [*urls, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return new_reservation_view(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return {"reservations:write", "locks:write"} <= set(getattr(request.user, "scopes", ()))
