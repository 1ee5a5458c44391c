"""The two admin sites: one for hotels and one for the platform. They have separate models and separate accounts.

Both are named `admin`, so the same URL names work on both sites.
"""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, ClassVar

from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from unfold.sites import UnfoldAdminSite

from hotelagent.admin import dashboard, navigation, search
from hotelagent.admin.account import login_steps, pages, password_links
from hotelagent.admin.account.limits import password_attempt
from hotelagent.admin.account.login_rules import login_rules
from hotelagent.admin.account.passwords import OwnPasswordForm
from hotelagent.admin.language import set_language
from hotelagent.admin.navigation import Group, Page
from tenants.access.support_user import support_user_of
from tenants.context import current_tenant
from tenants.signals import permission_denied
from tenants.support.backend import BACKEND


class BaseSite(UnfoldAdminSite):  # type: ignore[misc]
    """Base class of both admin sites.

    Staff log in to a hotel's site with an account of the hotel, and to the platform's site with an account of the
    platform.
    """

    index_template = "hotelagent/dashboard.html"
    enable_nav_sidebar = True
    symbol: ClassVar[str]
    stylesheets: ClassVar[tuple[str, ...]] = ("hotelagent/admin.css",)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Return Django's admin URLs except "view on site", which would read tables of other admin sites."""
        urls = [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]
        return [path("language/", set_language, name="language"), *self.account_urls(), *urls]

    def account_urls(self) -> list[URLPattern]:
        """Return the URLs of the second step of the login, of password links, and of the page "Your account"."""

        def public(view: Callable[..., Any]) -> Callable[..., Any]:
            return never_cache(sensitive_post_parameters()(partial(_call_with_site, view, self)))

        def own(view: Callable[..., Any]) -> Callable[..., Any]:
            return self.admin_view(partial(_call_own_page, view, self))

        return [
            path("login/code/", public(login_steps.code_step), name="login_code"),
            # If a URL has the name `admin_password_reset`, unfold's login page links to this URL.
            path("password-reset/", public(password_links.request_link), name="admin_password_reset"),
            path("password-reset/sent/", public(password_links.link_sent), name="password_link_sent"),
            path("password-reset/new/", public(password_links.new_password), name="new_password"),
            path("account/", own(pages.overview), name="account"),
            path("account/email/", own(pages.email), name="account_email"),
            path("account/two-factor/", own(pages.two_factor), name="two_factor"),
            path("account/two-factor/off/", own(pages.turn_off), name="two_factor_off"),
            path("account/recovery-codes/", own(pages.recovery_codes), name="recovery_codes"),
            path("account/sessions/end/", own(pages.end_session), name="end_session"),
        ]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Return the view with Django's permission check. Each denied request is recorded in the audit trail."""
        checked_view = super().admin_view(view, cacheable)

        def reporting_view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                return checked_view(request, *args, **kwargs)
            except PermissionDenied:
                route = request.resolver_match.view_name if request.resolver_match else ""
                permission_denied.send(
                    sender=type(self), request=request, user=request.user, permission=route
                )
                raise

        return update_wrapper(reporting_view, checked_view)

    @method_decorator([never_cache, sensitive_post_parameters()])
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the login page, or check the password unless there were too many attempts."""
        if request.method != "POST":
            if self.has_permission(request):
                return HttpResponseRedirect(reverse("admin:index", current_app=self.name))
            return login_steps.password_step(request, self, extra_context)
        with password_attempt(request, str(request.POST.get("username", ""))) as refusal:
            return refusal or login_steps.password_step(request, self, extra_context)

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        return navigation.menu(request, self._registry)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        return {
            **context,
            "page_tabs": navigation.tabs(context.get("sidebar_navigation") or [], request.path),
            # The colours are defined in admin.css, because the Content-Security-Policy forbids unfold's style element.
            "colors": None,
            "styles": [static(name) for name in self.stylesheets],
            "scripts": [static("hotelagent/admin.js")],
            "site_symbol": self.symbol,
            "site_favicons": [
                {"href": static("hotelagent/icon.svg"), "rel": "icon", "type": "image/svg+xml"}
            ],
            "show_languages": True,
            "languages_action": reverse("admin:language"),
            "show_history": False,
            "account_links": []
            if support_user_of(request)
            else [{"title": _("Your account"), "link": reverse("admin:account")}],
        }

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the page on which staff change their own password. Unfold's page would not report the change.

        All other sessions of the account end. Wrong passwords are limited as at the login, because a stolen session
        must not help to guess the password.
        """
        view = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse("admin:password_change_done", current_app=self.name),
            template_name=self.password_change_template or "registration/password_change_form.html",
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        request.current_app = self.name
        if request.method != "POST":
            return view(request)
        with password_attempt(request, request.user.get_username()) as refusal:
            return refusal or view(request)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Return the results of the search as a part of a page. unfold's search would cache guests' names."""
        groups = search.search(request, request.GET.get("q", ""), menu=self.get_sidebar_list(request))
        context = {"groups": groups, "count": sum(len(group.results) for group in groups)}
        return TemplateResponse(request, "hotelagent/search_results.html", context)

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """Redirect to the start page. Django's page for a single app is not used, because the menu lists all apps."""
        return HttpResponseRedirect(reverse("admin:index"))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        above, below = dashboard.panels_for(request)
        dashboard_context = {
            "cards": dashboard.cards_for(request),
            "panels_above": above,
            "panels_below": below,
            "stylesheets": list(
                dict.fromkeys(panel.stylesheet for panel in (*above, *below) if panel.stylesheet)
            ),
        }
        return super().index(request, {**(extra_context or {}), **dashboard_context})


class HotelSite(BaseSite):
    """The admin of a hotel, on the hotel's host."""

    index_title = _("Today")
    symbol = "hotel"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the login page. If the request's support session has ended, show a page that says so."""
        if request.session.get(BACKEND_SESSION_KEY) == BACKEND and not request.user.is_authenticated:
            request.session.flush()
            return HttpResponseRedirect(reverse("support_ended"))
        return super().login(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the page on which the hotel's staff change their own password. Refuse staff of the platform."""
        if support_user_of(request) is not None:
            raise PermissionDenied
        return super().password_change(request, extra_context)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        name = current_tenant().name
        return {
            **super().each_context(request),
            "site_title": name,
            "site_header": name,
            "site_subheader": _("Back office"),
        }

    def account_urls(self) -> list[URLPattern]:
        view = self.admin_view(partial(_call_with_site, login_rules, self))
        return [path("login-rules/", view, name="login_rules"), *super().account_urls()]


class PlatformSite(BaseSite):
    """The admin of the platform: hotels, domains, schedules, feature flags and platform staff."""

    index_title = _("Overview")
    symbol = "domain"
    stylesheets = (*BaseSite.stylesheets, "hotelagent/platform.css")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **super().each_context(request),
            "site_title": "hotelagent",
            "site_header": "hotelagent",
            "site_subheader": _("Platform"),
        }


def _call_own_page(view: Callable[..., Any], site: BaseSite, request: HttpRequest, **arguments: Any) -> Any:
    """Call a view of the page "Your account". Platform staff in a support session have no account at the hotel."""
    if support_user_of(request) is not None:
        raise PermissionDenied
    return _call_with_site(view, site, request, **arguments)


def _call_with_site(
    view: Callable[..., Any], site: BaseSite, request: HttpRequest, *args: Any, **kwargs: Any
) -> Any:
    request.current_app = site.name
    return view(request, site, *args, **kwargs)


hotel_site = HotelSite(name="admin")
platform_site = PlatformSite(name="admin")
navigation.register(
    Page(
        title=_("Today"),
        url_name="admin:index",
        scope="reservations:read",
        group=Group.FRONT_DESK,
        icon="today",
    )
)
navigation.register(
    Page(
        title=_("Overview"), url_name="admin:index", scope="hotels:read", group=Group.HOTELS, icon="dashboard"
    )
)
