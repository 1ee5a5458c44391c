"""The pages outside of the admin and the API."""

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import render
from django.templatetags.static import static

from tenants.context import current_tenant


def landing(request: HttpRequest) -> HttpResponse:
    """What a person finds who types the host's name: where to go from here."""
    tenant = current_tenant()
    return render(
        request,
        "hotelagent/landing.html",
        {"name": tenant.name or "hotelagent", "is_hotel": tenant.id is not None},
    )


def favicon(_request: HttpRequest) -> HttpResponse:
    """Browsers ask for it where no page names an icon: at what the API answers."""
    return HttpResponsePermanentRedirect(static("hotelagent/icon.svg"))
