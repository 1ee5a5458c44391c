"""The hotel's connection to its PMS: reading, changing and testing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record
from hotelagent.core import encryption, public_addresses
from hotelagent.pms import events
from hotelagent.pms.adapters.interface import Adapter, Capability, CheckResult, ConnectionSettings
from hotelagent.pms.adapters.local import LocalAdapter
from hotelagent.pms.adapters.qloapps.adapter import QloAppsAdapter
from hotelagent.pms.calls import availability_cache, rate_limit
from hotelagent.pms.due_kinds import SYNC
from hotelagent.pms.errors import PmsError, PmsNotConfigured
from hotelagent.pms.models import CircuitBreaker, Connection, System
from tenants.context import current_hotel
from tenants.database.clock import database_now
from tenants.queue import due

_KEY_PURPOSE = b"pms access key"
_ADAPTERS: dict[str, type[Adapter]] = {System.LOCAL: LocalAdapter, System.QLOAPPS: QloAppsAdapter}


def current_connection() -> Connection:
    """Return the hotel's connection. Without a stored one, return the default: our own rooms and rates."""
    return Connection.objects.first() or Connection()


def adapter_of(connection: Connection) -> Adapter:
    """Return the adapter of the connection. Raises PmsNotConfigured if the stored key can't be decrypted."""
    return _ADAPTERS[connection.system](
        ConnectionSettings(
            url=connection.url,
            key=_decrypt_key(connection),
            property_id=connection.property_id,
            currency=connection.currency,
            taxes_included=connection.taxes_included,
            room_types=connection.room_types,
            time_zone=current_hotel().time_zone,
            before_request=rate_limit.take_token,
        )
    )


def reports_changes() -> bool:
    """Return whether the hotel's system reports bookings that were made or changed there."""
    return Capability.CHANGES in _ADAPTERS[current_connection().system].capabilities


def change_connection(*, changes: Mapping[str, Any], key: str | None = None) -> Connection:
    """Change fields of the connection, and its access key if `key` is given. Return the connection.

    Circuit breakers are closed and cached availability is discarded, because they belong to the old connection. Raises
    PmsNotConfigured if the URL is not allowed.
    """
    if url := changes.get("url"):
        try:
            public_addresses.parse_url(url)
        except public_addresses.URLNotAllowed as error:
            raise PmsNotConfigured(error.detail) from None
    with transaction.atomic():
        Connection.objects.get_or_create(id=1)
        connection = Connection.objects.select_for_update().get(id=1)
        for name, value in changes.items():
            setattr(connection, name, value)
        if {"system", "url", "property_id"} & changes.keys():
            connection.synchronized_until = None
        if key is not None:
            connection.encrypted_key = encryption.encrypt(
                key.encode(),
                key=encryption.derive_key(_KEY_PURPOSE),
                associated_data=_hotel_id().bytes,
            )
        connection.save()
        if Capability.CHANGES in _ADAPTERS[connection.system].capabilities:
            due.schedule(kind=SYNC, items=[(_hotel_id(), database_now())])
        CircuitBreaker.objects.all().delete()
        changed = sorted(changes) + (["key"] if key is not None else [])
        record(events.CONNECTION_CHANGED, changed=", ".join(changed))
    availability_cache.invalidate()
    return connection


def report_change() -> None:
    """Discard the cached availability and import the changes of the PMS soon, because the PMS has reported a change."""
    availability_cache.invalidate()
    if reports_changes():
        due.schedule(kind=SYNC, items=[(_hotel_id(), database_now())])


def test_connection() -> list[CheckResult]:
    """Test the connection and return the result of each step. Call this function outside of a transaction.

    The circuit breaker is not used, so that staff can test a connection that is paused.
    """
    try:
        results: Sequence[CheckResult] = adapter_of(current_connection()).check()
    except PmsError as error:
        results = [CheckResult(_("Connection"), passed=False, detail=error.detail)]
    outcome = "passed" if all(result.passed for result in results) else "failed"
    record(events.CONNECTION_TESTED, outcome=outcome)
    return list(results)


def _hotel_id() -> UUID:
    return UUID(str(current_hotel().id))


def _decrypt_key(connection: Connection) -> str:
    if connection.encrypted_key is None:
        return ""
    try:
        key = encryption.decrypt(
            bytes(connection.encrypted_key),
            key=encryption.derive_key(_KEY_PURPOSE),
            associated_data=_hotel_id().bytes,
        )
    except InvalidTag:
        raise PmsNotConfigured(
            _("The access key can't be decrypted because SECRET_KEY has changed. Enter the key again.")
        ) from None
    return key.decode()
