"""What guests reach on the hotel's host without a login: the page behind "Unsubscribe", the mails' logo."""

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
from reminders.mail.rendering import words_language
from reminders.models import EmailBranding, Reminder, SuppressionReason
from reminders.selectors import is_suppressed
from reminders.services.suppressions import suppress_recipient
from tenants.context import current_hotel

YEAR = 365 * 24 * 3600  # seconds


# No CSRF token: mail programs post by themselves (RFC 8058), and the link's own signature says who may.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET only asks: programs that look into mails follow links, and must not unsubscribe anybody."""
    hotel = current_hotel()
    reminder_id = unsubscribe_links.reminder_behind(token, hotel=hotel)
    sent = Reminder.objects.select_related("reservation").exclude(recipient="")
    reminder = sent.filter(id=reminder_id).first() if reminder_id else None
    wanted = (reminder.reservation.language if reminder else "") or hotel.language
    if reminder is not None and request.method == "POST":
        suppress_recipient(reminder, reason=SuppressionReason.UNSUBSCRIBED)
    is_off = reminder is not None and is_suppressed(reminder.recipient)
    language = words_language(wanted)
    with translation.override(language):
        page = render(
            request,
            "reminders/unsubscribe.html",
            {
                "address": _shortened(reminder.recipient) if reminder else "",
                "is_off": is_off,
                "branding": branding_context(hotel, base_url=""),
            },
            status=200 if reminder else 404,
        )
    page.headers["Content-Language"] = language
    return page


@require_safe
@cache_control(public=True, max_age=YEAR, immutable=True)
def logo(request: HttpRequest, digest: str, extension: str) -> HttpResponse:  # noqa: ARG001 - the type is stored
    """Its address changes with it, so it may be kept for ever."""
    brand = EmailBranding.objects.filter(logo_digest=digest).first()
    if brand is None:
        raise Http404
    return HttpResponse(bytes(brand.logo), content_type=brand.logo_type)


def _shortened(address: str) -> str:
    """Enough for its owner to know it, too little for who was forwarded the mail."""
    name, _at, host = address.rpartition("@")
    return f"{name[:1]}…@{host}"


urlpatterns = [
    path(f"{unsubscribe_links.PATH}/<str:token>/", unsubscribe, name="unsubscribe"),
    path("brand/<slug:digest>.<slug:extension>", logo, name="logo"),
]
