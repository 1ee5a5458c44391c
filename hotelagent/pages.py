"""The public pages outside of the admin and the API."""

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import render
from django.templatetags.static import static

from tenants.context import current_tenant


def landing(request: HttpRequest) -> HttpResponse:
    """Render the page at `/`, with links to the admin and the API documentation."""
    tenant = current_tenant()
    return render(
        request,
        "hotelagent/landing.html",
        {"name": tenant.name or "hotelagent", "is_hotel": tenant.id is not None},
    )


def favicon(_request: HttpRequest) -> HttpResponse:
    """Redirect to the icon. Browsers request /favicon.ico for responses that are not HTML, such as JSON."""
    return HttpResponsePermanentRedirect(static("hotelagent/icon.svg"))
