"""Signal receivers that record events of Django, the admin and the app `tenants`, except those about hotels.

The admin and `tenants` send signals to these receivers, because lower layers cannot import `audit`.
"""

from typing import Any
from uuid import UUID

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import Signal, receiver
from django.forms.models import model_to_dict
from django.http import HttpRequest
from waffle.models import AbstractBaseFlag, Flag, Sample, Switch

from audit import events
from audit.erasure import erase_staff_member
from audit.publishing.auditors import remove_auditor
from audit.reading.search import events_of_type
from audit.recording.values import clean
from audit.registry import EventType
from audit.row_changes.tables import restate_rows
from audit.sealing.hotels import close_trail, continue_trail
from audit.services import record, record_in_own_transaction
from hotelagent.admin import signals as admin_signals
from tenants import signals as tenant_signals
from tenants.context import actor_context, changed_actor, current_tenant, hotel_context, platform_context
from tenants.models import ApiKey, Hotel, SupportSession, User
from tenants.services.staff import erase_staff

#: URL arguments with more characters than this are cut before they are stored.
_MAX_ARGUMENT_LENGTH = 64
#: The maximum number of URL arguments that are stored with an event.
_MAX_ARGUMENTS = 8
#: An event about the view of a list has the ids of at most this number of records.
_MAX_TARGETS = 100


@receiver(user_logged_in)
def _logged_in(*, user: User, **_: Any) -> None:
    # During the login the current actor is still anonymous, so the user becomes the actor of this event.
    with actor_context(changed_actor(kind="user", id=str(user.pk), label=user.username)):
        record(events.LOGGED_IN, subject=("user", user.pk))


@receiver(user_logged_out)
def _logged_out(*, user: User | None, **_: Any) -> None:
    # The user is None if the login session had already expired before the logout.
    if user is not None:
        record(events.LOGGED_OUT, subject=("user", user.pk))


@receiver(user_login_failed)
def _login_failed(*, credentials: dict[str, Any], **_: Any) -> None:
    username = str(credentials.get("username") or "")
    user_id = User.objects.filter(username=username).values_list("pk", flat=True).first()
    record_in_own_transaction(events.LOGIN_FAILED, subject=("user", user_id) if user_id else None)


@receiver(tenant_signals.staff_added)
def _staff_added(*, user: User, **_: Any) -> None:
    record(events.STAFF_ADDED, subject=("user", user.pk), role=user.role)


@receiver(tenant_signals.manager_invitation_accepted)
def _invitation_accepted(*, user: User, **_: Any) -> None:
    record(events.MANAGER_INVITATION_ACCEPTED, subject=("user", user.pk))


@receiver(tenant_signals.staff_password_set)
def _password_set(*, user: User, **_: Any) -> None:
    record(events.PASSWORD_SET, subject=("user", user.pk))


@receiver(tenant_signals.rate_limit_exceeded)
def _rate_limit_exceeded(*, policy: str, requests: int, seconds: int, **_: Any) -> None:
    record_in_own_transaction(events.RATE_LIMIT_EXCEEDED, policy=policy, requests=requests, seconds=seconds)


@receiver(tenant_signals.personal_data_read)
def _personal_data_read(*, request: HttpRequest, kind: str, ids: list[str], **_: Any) -> None:
    if not ids:
        return
    is_list = len(ids) > 1
    record(
        events.PERSONAL_DATA_READ,
        subject=None if is_list else (kind, ids[0]),
        kind=kind,
        count=len(ids),
        targets=[[kind, identifier] for identifier in ids[:_MAX_TARGETS]] if is_list else [],
        route=_route_and_arguments(request)[0],
    )


@receiver(tenant_signals.staff_role_changed)
def _role_changed(*, user: User, before: str, **_: Any) -> None:
    record(events.ROLE_CHANGED, subject=("user", user.pk), before=before, after=user.role)


@receiver(tenant_signals.staff_activation_changed)
def _activation_changed(*, user: User, **_: Any) -> None:
    record(events.ACTIVATED if user.is_active else events.DEACTIVATED, subject=("user", user.pk))


@receiver(tenant_signals.staff_erased)
def _staff_erased(*, user: User, username: str, email: str, **_: Any) -> None:
    # Remove the auditor first. The removal records an event with the e-mail address, which the erasure then erases.
    remove_auditor(email)
    count = erase_staff_member(user_id=user.pk, username=username, email=email)
    hotel_id = current_tenant().id
    if hotel_id is None:
        count += _erase_from_hotels(user)
    fields = {"hotel": str(hotel_id or ""), "events": count}
    record(events.STAFF_ERASED, subject=("user", user.pk), **fields)
    if hotel_id is not None:
        with platform_context():
            record(events.STAFF_ERASED, subject=("user", user.pk), **fields)


def _erase_from_hotels(user: User) -> int:
    """Erase a member of the platform's staff from the trails of the hotels in which the person acted.

    Return the number of changed events.
    """
    hotel_ids = SupportSession.objects.filter(user_id=user.pk).values("hotel_id")
    count = 0
    for hotel in Hotel.objects.filter(id__in=hotel_ids, schema_version__gt=""):
        with hotel_context(hotel):
            count += erase_staff_member(user_id=user.pk)
    return count


@receiver(tenant_signals.restored_hotel_migrated)
def _erase_staff_again(*, hotel: Hotel, **_: Any) -> None:
    """Erase again the members of staff who were erased after the restored backup had been made.

    The ids of the erased members of staff are in the platform's trail.
    """
    restored = events_of_type(events.HOTEL_RESTORED).filter(subject_id=str(hotel.id))
    originals = [event.data["detail"]["original"]["id"] for event in restored]
    erased = events_of_type(events.STAFF_ERASED).filter(data__hotel__in=[str(hotel.id), *map(str, originals)])
    user_ids = set(erased.values_list("subject_id", flat=True))
    platform_staff = events_of_type(events.STAFF_ERASED).filter(data__hotel="")
    platform_ids = set(platform_staff.values_list("subject_id", flat=True))
    with hotel_context(hotel):
        for user_id in platform_ids:
            erase_staff_member(user_id=UUID(user_id))
        for user in User.objects.filter(id__in=user_ids):
            erase_staff(user_id=user.id)


@receiver(tenant_signals.permission_denied)
def _permission_denied(*, request: HttpRequest, permission: str, **_: Any) -> None:
    route, arguments = _route_and_arguments(request)
    record_in_own_transaction(
        events.ACCESS_DENIED, permission=permission, method=request.method, route=route, arguments=arguments
    )


def _route_and_arguments(request: HttpRequest) -> tuple[str, dict[str, str]]:
    """Return the name of the URL pattern of a request, and the arguments in the URL.

    The name and the arguments are empty if no pattern matches the URL. The arguments are cut, because an id in an admin
    URL can be any text.
    """
    match = request.resolver_match
    if match is None:
        return "", {}
    arguments = list(match.kwargs.items())[:_MAX_ARGUMENTS]
    return match.view_name, {name: str(value)[:_MAX_ARGUMENT_LENGTH] for name, value in arguments}


@receiver(tenant_signals.api_key_created)
def _key_created(*, key: ApiKey, **_: Any) -> None:
    record(
        events.API_KEY_CREATED,
        subject=("api_key", key.pk),
        prefix=key.prefix,
        scopes=key.scopes,
        expires_at=key.expires_at,
    )


@receiver(tenant_signals.hotel_data_deletion_started)
def _hotel_data_deletion_started(*, hotel: Hotel, **_: Any) -> dict[str, Any]:
    return {"audit_trail": close_trail(hotel)}


@receiver(tenant_signals.hotel_restored)
def _continue_trail(*, hotel: Hotel, detail: dict[str, Any], **_: Any) -> None:
    continue_trail(hotel, original_id=UUID(detail["original"]["id"]), is_masked=detail["masked"])
    if detail["masked"]:
        # A masked copy contains no events, so the state of the restored rows is recorded as the initial state.
        with hotel_context(hotel):
            restate_rows()


@receiver(tenant_signals.api_key_revoked)
def _key_revoked(*, key: ApiKey, **_: Any) -> None:
    record(events.API_KEY_REVOKED, subject=("api_key", key.pk), prefix=key.prefix)


def _record_object(signal: Signal, event: EventType) -> None:
    def record_signal(*, obj: Model, changed: list[str], **_: Any) -> None:
        record(event, subject=(str(obj._meta.model_name), obj.pk), changed=changed)

    signal.connect(record_signal, weak=False, dispatch_uid=event.name)


_record_object(admin_signals.object_added, events.OBJECT_ADDED)
_record_object(admin_signals.object_changed, events.OBJECT_CHANGED)
_record_object(admin_signals.object_deleted, events.OBJECT_DELETED)
#: The properties of a feature flag (django-waffle) that are not recorded.
_UNRECORDED_PROPERTIES = {"id", "name", "created", "modified", "users", "groups"}


def _flag_properties(flag: AbstractBaseFlag) -> dict[str, Any]:
    values = model_to_dict(flag)
    return {
        name: clean(value) for name, value in sorted(values.items()) if name not in _UNRECORDED_PROPERTIES
    }


def _remember_flag(*, instance: Any, **_: Any) -> None:
    """Store the properties of the feature flag on the instance before a change is saved."""
    with platform_context():
        stored = type(instance).objects.filter(pk=instance.pk).first()
    instance.audited_before = None if stored is None else _flag_properties(stored)


def _flag_saved(*, instance: Any, **_: Any) -> None:
    _record_flag(instance, before=instance.audited_before, after=_flag_properties(instance))


def _flag_deleted(*, instance: Any, **_: Any) -> None:
    _record_flag(instance, before=_flag_properties(instance), after=None)


def _record_flag(flag: Any, *, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
    names = sorted({*(before or {}), *(after or {})})
    changed = [name for name in names if (before or {}).get(name) != (after or {}).get(name)]
    kind = str(flag._meta.model_name)
    with platform_context():
        record(
            events.FLAG_CHANGED,
            subject=(kind, flag.pk),
            kind=kind,
            name=flag.name,
            changed=changed,
            before=before,
            after=after,
        )


for _model in (Flag, Switch, Sample):
    pre_save.connect(_remember_flag, sender=_model)
    post_save.connect(_flag_saved, sender=_model)
    post_delete.connect(_flag_deleted, sender=_model)
