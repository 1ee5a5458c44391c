"""The two admin sites. They share no model, no account and no address; both answer to the name `admin`."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from hotelagent.admin import dashboard, navigation
from hotelagent.admin.language import set_language
from hotelagent.admin.login import LoginForm
from tenants.context import current_tenant
from tenants.signals import permission_denied


class BaseSite(UnfoldAdminSite):  # type: ignore[misc]
    """What both have: staff of the schema that is set, our menu, our style sheets, a choice of language."""

    login_form = LoginForm
    index_template = "hotelagent/dashboard.html"
    enable_nav_sidebar = True
    symbol: ClassVar[str]
    #: The apps, from what is looked at hourly to what is looked at when something is wrong.
    areas: ClassVar[tuple[str, ...]]
    area_titles: ClassVar[dict[str, Any]] = navigation.TITLES
    stylesheets: ClassVar[tuple[str, ...]] = ("hotelagent/admin.css",)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [path("language/", set_language, name="language"), *super().get_urls()]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Django's guard; a page that a person's role does not allow is told to the audit trail."""
        guarded = super().admin_view(view, cacheable)

        def watched(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                return guarded(request, *args, **kwargs)
            except PermissionDenied:
                permission_denied.send(
                    sender=type(self), request=request, user=request.user, permission=request.path_info
                )
                raise

        return update_wrapper(watched, guarded)

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        return navigation.menu(request, self._registry, titles=self.area_titles, areas=self.areas)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: navigation.area(app["app_label"], self.areas))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **super().each_context(request),
            "colors": None,  # an inline style element, which the policy forbids: admin.css has them
            "styles": [static(name) for name in self.stylesheets],
            "site_symbol": self.symbol,
            "site_favicons": [
                {"href": static("hotelagent/icon.svg"), "rel": "icon", "type": "image/svg+xml"}
            ],
            "show_languages": True,
            "languages_action": reverse("admin:language"),
            "show_history": False,
        }

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """An area has no page of its own: the menu and the first page show what is in it."""
        return HttpResponseRedirect(reverse("admin:index"))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        dashboard_context = {"cards": dashboard.cards_for(request), "panels": dashboard.panels_for(request)}
        return super().index(request, {**(extra_context or {}), **dashboard_context})


class HotelSite(BaseSite):
    """A hotel's back office, on the hotel's host."""

    index_title = _("Today")
    symbol = "hotel"
    areas = ("reminders", "locks", "dlq", "audit", "tenants")
    area_titles = {**navigation.TITLES, "tenants": _("Access")}

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        name = current_tenant().name
        return {
            **super().each_context(request),
            "site_title": name,
            "site_header": name,
            "site_subheader": _("Back office"),
        }


class PlatformSite(BaseSite):
    """The platform's own: hotels, domains, schedules, flags, platform staff."""

    index_title = _("Platform")
    symbol = "domain"
    areas = ("tenants", "dlq", "audit", "django_celery_beat", "waffle")
    stylesheets = (*BaseSite.stylesheets, "hotelagent/platform.css")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **super().each_context(request),
            "site_title": "hotelagent",
            "site_header": "hotelagent",
            "site_subheader": _("Platform"),
        }


hotel_site = HotelSite(name="admin")
platform_site = PlatformSite(name="admin")
