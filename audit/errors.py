"""The errors of the audit trail. API clients never see them: they concern developers and operators."""


class AuditError(Exception):
    """The base class of audit trail errors."""


class EventTypeNotFound(AuditError):
    """No event type with this name is registered. Each app registers its event types in its `events.py`."""


class EventTypeConflict(AuditError):
    """Another event type is already registered with this name."""


class InvalidEventType(AuditError):
    """An event type has an invalid name or an invalid field name."""


class InvalidEventFields(AuditError):
    """The fields of an event are not exactly the fields of its type."""


class SigningKeyError(AuditError):
    """The key that signs the audit trail is missing or cannot be used. The message says what to do."""


class SealingRefused(AuditError):
    """A log is not sealed, because the stored log is not the log that was signed before. The message says why."""


class NothingSealed(AuditError):
    """The trail has no signed checkpoint yet, so nothing of it can be proved."""
