"""What a mail provider tells about mails that it took: delivered, bounced, reported as spam.

One address for all hotels, on the platform's host: `/anymail/<provider>/tracking/`. A mail's metadata say whose it
was (`reminders.mail.message_builder`), and the provider repeats them.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from django.conf import settings
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import Resolver404, path, resolve
from django.views.decorators.csrf import csrf_exempt

from reminders.providers import event_mapping, events
from tenants import host_routing
from tenants.context import Actor, actor_context, current_actor, hotel_context

logger = logging.getLogger(__name__)


@csrf_exempt
def from_provider(request: HttpRequest, provider: str) -> HttpResponse:
    """Anymail's own view, which checks the secret; without one anybody could tell us of bounces.

    Only of a provider that we have the key of.
    """
    is_ours = any(setting.startswith(f"{provider.upper()}_") for setting in settings.ANYMAIL)
    if not (is_ours and settings.ANYMAIL["WEBHOOK_SECRET"]):
        raise Http404
    try:
        view, positional, named = resolve(f"/{provider}/tracking/", "anymail.urls")
    except Resolver404:
        raise Http404 from None
    answer: HttpResponse = view(request, *positional, **named)
    return answer


@receiver(tracking, dispatch_uid="reminders.providers.webhooks")
def heard(event: AnymailTrackingEvent, esp_name: str, **_kwargs: Any) -> None:
    """Raises only where the database is away: the provider then tells it again."""
    known_by = event_mapping.metadata(event)
    hotel_id, reminder_id = (_id(known_by, name) for name in ("hotel", "reminder"))
    hotel = host_routing.by_id(hotel_id) if hotel_id else None
    if hotel is None or reminder_id is None:  # of another system, or of a hotel that is gone
        logger.info("provider_event_ignored", extra={"provider": esp_name, "kind": event.event_type})
        return
    asking = current_actor()
    # It came with a secret of ours, as a client with its key does.
    provider = Actor(kind="key", id="", label=esp_name, ip=asking.ip, request_id=asking.request_id)
    with hotel_context(hotel), actor_context(provider):
        events.take(reminder_id=reminder_id, event=event)


def _id(metadata: dict[str, Any], name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(hex=str(metadata.get(name, "")))
    except ValueError:
        return None


urlpatterns = [path("anymail/<slug:provider>/tracking/", from_provider)]
