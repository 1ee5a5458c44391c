"""Functions that the views of admin pages share: the check of permissions, and the check of URLs for redirects."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def require_scopes(request: HttpRequest, *scopes: str) -> None:
    """Raise PermissionDenied unless the user has all of these scopes."""
    if not set(scopes) <= set(getattr(request.user, "scopes", ())):
        raise PermissionDenied


def is_own_url(request: HttpRequest, url: str) -> bool:
    """Return whether the URL belongs to the host of the request, so that a redirect to the URL is safe."""
    return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
