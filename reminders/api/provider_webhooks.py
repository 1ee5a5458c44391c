"""The webhook to which mail providers report deliveries, bounces and complaints: `/anymail/<provider>/tracking/`.

The URL is on the platform's host and is the same for all hotels. Each message has metadata that identifies the hotel
and the reminder, and the provider returns the metadata in its events.
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

from reminders.providers import event_mapping
from reminders.services.provider_events import process_event
from tenants import host_routing
from tenants.context import actor_context, changed_actor, hotel_context

logger = logging.getLogger(__name__)


@csrf_exempt
def tracking_webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """Call Anymail's view for the provider, which checks the secret.

    Respond with 404 if the provider is not configured or has no secret. Without a secret, anyone could report
    events.
    """
    is_configured = any(setting.startswith(f"{provider.upper()}_") for setting in settings.ANYMAIL)
    if not (is_configured and settings.ANYMAIL["WEBHOOK_SECRET"]):
        raise Http404
    try:
        view, args, kwargs = resolve(f"/{provider}/tracking/", "anymail.urls")
    except Resolver404:
        raise Http404 from None
    response: HttpResponse = view(request, *args, **kwargs)
    return response


@receiver(tracking, dispatch_uid="reminders.api.provider_webhooks")
def receive_event(event: AnymailTrackingEvent, esp_name: str, **_kwargs: Any) -> None:
    """Process an event of a mail provider in the context of its hotel. Events of unknown hotels are ignored.

    Only database errors are raised. A database error makes the provider send the event again.
    """
    metadata = event_mapping.metadata(event)
    hotel_id, reminder_id = (_uuid_or_none(metadata.get(name)) for name in ("hotel", "reminder"))
    hotel = host_routing.by_id(hotel_id) if hotel_id else None
    if hotel is None or reminder_id is None:
        logger.info("provider_event_ignored", extra={"provider": esp_name, "kind": event.event_type})
        return
    # The mail provider is the actor of the audit events. The actor's kind is `key`, as for clients with an API key.
    actor = changed_actor(kind="key", id=esp_name, label=esp_name)
    with hotel_context(hotel), actor_context(actor):
        process_event(reminder_id=reminder_id, event=event)


def _uuid_or_none(value: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(hex=str(value))
    except ValueError:
        return None


urlpatterns = [path("anymail/<slug:provider>/tracking/", tracking_webhook)]
