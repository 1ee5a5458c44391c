"""The public pages that belong neither to the admin nor to the API."""

import sys

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import render
from django.template import loader
from django.templatetags.static import static
from django.views import defaults

from hotelagent.rest.errors import RETRY_AFTER_UNAVAILABLE
from tenants.context import current_tenant
from tenants.database.availability import is_database_unavailable


def landing(request: HttpRequest) -> HttpResponse:
    """Render the page at `/`, with links to the admin and the API documentation."""
    tenant = current_tenant()
    return render(
        request,
        "hotelagent/landing.html",
        {"name": tenant.name or "hotelagent", "is_hotel": tenant.id is not None},
    )


def favicon(_request: HttpRequest) -> HttpResponse:
    """Redirect to the icon file. Browsers request /favicon.ico when they show a response without HTML, such as JSON."""
    return HttpResponsePermanentRedirect(static("hotelagent/icon.svg"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Render the error page for an unhandled exception. Django calls this function as `handler500`.

    The status is 503 with `Retry-After` if the database is unavailable, as in the REST API.
    """
    if not is_database_unavailable(sys.exc_info()[1]):
        return defaults.server_error(request)
    response = HttpResponse(loader.render_to_string("503.html"), status=503)
    response["Retry-After"] = str(RETRY_AFTER_UNAVAILABLE)
    return response
