"""Turns what Django, the admin and `tenants` announce into events: those can't import the trail."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.dispatch import Signal, receiver
from django.http import HttpRequest

from audit import events
from audit.registry import EventType
from audit.services import record, record_apart
from hotelagent.admin import signals as admin
from tenants import signals as tenants
from tenants.context import Actor, actor_context, current_actor
from tenants.models import ApiKey, ContactIdentifier, Hotel, User


@receiver(user_logged_in)
def _logged_in(*, user: User, **_: Any) -> None:
    # The request began before anybody was known; the rest of it (address, request id) is right.
    before = current_actor()
    with actor_context(Actor("user", str(user.pk), user.username, before.ip, before.request_id)):
        record(events.LOGGED_IN, subject=("user", user.pk))


@receiver(user_logged_out)
def _logged_out(*, user: User | None, **_: Any) -> None:
    if user is not None:  # a session that had ended already
        record(events.LOGGED_OUT, subject=("user", user.pk))


@receiver(user_login_failed)
def _login_failed(*, credentials: dict[str, Any], **_: Any) -> None:
    username = str(credentials.get("username") or "")
    account = User.objects.filter(username__iexact=username).values_list("pk", flat=True).first()
    record_apart(events.LOGIN_FAILED, subject=("user", account) if account else None)


@receiver(tenants.staff_added)
def _staff_added(*, user: User, **_: Any) -> None:
    record(events.STAFF_ADDED, subject=("user", user.pk), role=user.role)


@receiver(tenants.permission_denied)
def _permission_refused(*, request: HttpRequest, permission: str, **_: Any) -> None:
    record_apart(events.ACCESS_DENIED, permission=permission, method=request.method, path=request.path_info)


@receiver(tenants.api_key_created)
def _key_created(*, key: ApiKey, **_: Any) -> None:
    record(
        events.API_KEY_CREATED,
        subject=("api_key", key.pk),
        prefix=key.prefix,
        scopes=key.scopes,
        expires_at=key.expires_at,
    )


@receiver(tenants.api_key_revoked)
def _key_revoked(*, key: ApiKey, **_: Any) -> None:
    record(events.API_KEY_REVOKED, subject=("api_key", key.pk), prefix=key.prefix)


def _record_object(signal: Signal, event: EventType) -> None:
    def record_it(*, obj: Model, changed: list[str], **_: Any) -> None:
        record(event, subject=(str(obj._meta.model_name), obj.pk), changed=changed)

    signal.connect(record_it, weak=False, dispatch_uid=event.name)


def _record_hotel(signal: Signal, event: EventType) -> None:
    def record_it(*, hotel: Hotel, detail: dict[str, Any], **_: Any) -> None:
        record(event, subject=("hotel", hotel.pk), slug=hotel.slug, detail=detail)

    signal.connect(record_it, weak=False, dispatch_uid=event.name)


def _record_contact(signal: Signal, event: EventType) -> None:
    def record_it(*, hotel: Hotel, contact: ContactIdentifier, **_: Any) -> None:
        record(event, subject=("contact", contact.pk), slug=hotel.slug, kind=contact.kind)

    signal.connect(record_it, weak=False, dispatch_uid=event.name)


_record_object(admin.object_added, events.OBJECT_ADDED)
_record_object(admin.object_changed, events.OBJECT_CHANGED)
_record_object(admin.object_deleted, events.OBJECT_DELETED)
_record_hotel(tenants.hotel_created, events.HOTEL_CREATED)
_record_hotel(tenants.hotel_suspended, events.HOTEL_SUSPENDED)
_record_hotel(tenants.hotel_resumed, events.HOTEL_RESUMED)
_record_hotel(tenants.hotel_renamed, events.HOTEL_RENAMED)
_record_hotel(tenants.hotel_deleted, events.HOTEL_DELETED)
_record_hotel(tenants.hotel_backed_up, events.HOTEL_BACKED_UP)
_record_hotel(tenants.hotel_restored, events.HOTEL_RESTORED)
_record_hotel(tenants.domain_added, events.DOMAIN_ADDED)
_record_hotel(tenants.domain_removed, events.DOMAIN_REMOVED)
_record_contact(tenants.contact_added, events.CONTACT_ADDED)
_record_contact(tenants.contact_removed, events.CONTACT_REMOVED)
