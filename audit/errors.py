"""The errors of the audit trail, which are meant for developers and operators. API clients never receive them."""


class AuditError(Exception):
    """The base class of the errors of the audit trail."""


class EventTypeNotFound(AuditError):
    """No event type with this name is registered. Each app registers its event types in its `events.py`."""


class EventTypeConflict(AuditError):
    """Another event type is already registered with this name."""


class InvalidEventType(AuditError):
    """An event type has an invalid name or an invalid field name."""


class InvalidEventFields(AuditError):
    """The fields of an event are not exactly the fields of its type."""


class SigningKeyError(AuditError):
    """The key that signs the audit trail is missing or cannot be used. The error message says what to do."""


class SealingRefused(AuditError):
    """A log cannot be sealed, because the stored hashes differ from the hashes that were signed before."""


class NothingSealed(AuditError):
    """The trail has no signed checkpoint yet, so no event of the trail can be proved."""


class RetentionRefused(AuditError):
    """The expired events of a trail must not be deleted. The error message says why."""
