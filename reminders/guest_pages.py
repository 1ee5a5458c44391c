"""The pages that guests open without logging in: the unsubscribe page, and the logo in e-mails."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import translation
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from reminders.mail import unsubscribe_links
from reminders.mail.branding import branding_context
from reminders.mail.rendering import catalogue_language
from reminders.models import EmailBranding, Reminder, SuppressionReason
from reminders.selectors import is_suppressed
from reminders.services.suppressions import suppress_recipient
from tenants.context import current_hotel

_ONE_YEAR = 365 * 24 * 3600  # seconds


# No CSRF token is required: e-mail clients send this POST request (RFC 8058), and the link is signed.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show the unsubscribe page. On POST, add the recipient's address to the suppression list.

    A GET request changes nothing, because virus scanners open the links in e-mails.
    """
    hotel = current_hotel()
    reminder_id = unsubscribe_links.reminder_id_of(token, hotel=hotel)
    transmitted = Reminder.objects.select_related("reservation").exclude(recipient="")
    reminder = transmitted.filter(id=reminder_id).first() if reminder_id else None
    if reminder is not None and request.method == "POST":
        suppress_recipient(reminder, reason=SuppressionReason.UNSUBSCRIBED)
    guest_language = reminder.reservation.language if reminder else ""
    language = catalogue_language(guest_language or hotel.language)
    with translation.override(language):
        page = render(
            request,
            "reminders/unsubscribe.html",
            {
                "address": _masked(reminder.recipient) if reminder else "",
                "is_unsubscribed": reminder is not None and is_suppressed(reminder.recipient),
                "branding": branding_context(hotel, base_url=""),
            },
            status=200 if reminder else 404,
        )
    page.headers["Content-Language"] = language
    return page


@require_safe
@cache_control(public=True, max_age=_ONE_YEAR, immutable=True)
def logo(request: HttpRequest, digest: str, extension: str) -> HttpResponse:  # noqa: ARG001 - the type is stored
    """Return the image file of the hotel's logo.

    The URL contains a digest of the logo, so clients may cache the response forever.
    """
    branding = EmailBranding.objects.filter(logo_digest=digest).first()
    if branding is None:
        raise Http404
    return HttpResponse(bytes(branding.logo), content_type=branding.logo_type)


def _masked(address: str) -> str:
    """Return the address with only its first character and its domain readable.

    The e-mail with the link to this page may have been forwarded to a person who should not see the whole address.
    """
    name, _at, host = address.rpartition("@")
    return f"{name[:1]}…@{host}"


urlpatterns = [
    path(f"{unsubscribe_links.PATH}/<str:token>/", unsubscribe, name="unsubscribe"),
    path("brand/<slug:digest>.<slug:extension>", logo, name="logo"),
]
