"""The two admin sites. They share no model, no template context and no account."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from hotelagent.admin import dashboard
from tenants.context import current_scope


class BaseSite(UnfoldAdminSite):
    """What both have: staff of the schema that is set, and a name at the top."""

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))


class HotelSite(BaseSite):
    """A hotel's back office, on the hotel's host."""

    index_title = _("Today")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        name = current_scope().name
        return {**context, "site_title": name, "site_header": name, "colors": None}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        cards = SimpleLazyObject(lambda: dashboard.cards(request))
        return super().index(request, {**(extra_context or {}), "cards": cards})


class PlatformSite(BaseSite):
    """The platform's own: hotels, domains, schedules, flags, platform staff."""

    index_title = _("Platform")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        return {**context, "site_title": _("Platform"), "site_header": "hotelagent", "colors": None}


hotel_site = HotelSite(name="admin")
platform_site = PlatformSite(name="admin")
