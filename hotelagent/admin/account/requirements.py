"""What a member of staff must do after the login before any other page opens.

An account with an initial password must choose a new password. If a second factor is required, it must be set up.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from tenants.context import current_tenant

#: The pages that users can open before they have completed all required steps of the login.
_ALWAYS = ("admin:logout", "admin:language", "admin:jsi18n", "admin:login")


def is_second_factor_required() -> bool:
    """Return whether all staff of the current tenant must set up two-factor authentication."""
    tenant = current_tenant()
    return bool(settings.TWO_FACTOR_FOR_PLATFORM if tenant.is_platform else tenant.require_two_factor)


class AccountRequirementsMiddleware:
    """Middleware that redirects staff with an incomplete account to the page that completes it.

    REST API requests with the session of an incomplete account are refused. Must be listed after
    AuthenticationMiddleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Without a session cookie, no user is logged in, so request.user is not read. Reading it may execute a query.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not _is_guarded(request):
            return self.get_response(request)
        user: Any = request.user
        if getattr(user, "must_change_password", False):
            return self._lead_to(request, "admin:password_change", _("Choose a new password to continue."))
        if getattr(user, "has_second_factor", True) or not is_second_factor_required():
            return self.get_response(request)
        text = _("Two-factor authentication is required. Set it up to continue.")
        return self._lead_to(request, "admin:two_factor", text)

    def _lead_to(self, request: HttpRequest, url_name: str, text: str) -> HttpResponse:
        if request.path_info in {_url(name, request) for name in (*_ALWAYS, url_name)}:
            return self.get_response(request)
        if not request.path_info.startswith("/admin/"):
            raise PermissionDenied(text)
        if request.method == "GET":
            messages.warning(request, text)
        return HttpResponseRedirect(_url(url_name, request))


def _is_guarded(request: HttpRequest) -> bool:
    """Return whether the session may log the user in: in the admin, and in REST requests without an API key."""
    path = request.path_info
    return path.startswith("/admin/") or (path.startswith("/api/") and "Authorization" not in request.headers)


def _url(name: str, request: HttpRequest) -> str:
    try:
        return reverse(name, urlconf=getattr(request, "urlconf", None))
    except NoReverseMatch:
        return ""
