"""What callers of the trail can get wrong. All of them are mistakes in code, so none is shown to a client."""


class AuditError(Exception):
    """The trail refuses to write what it could not explain later."""


class EventTypeNotFound(AuditError):
    """No event type has this name. Register it in the app's `events.py` with `audit.registry.register`."""


class EventTypeConflict(AuditError):
    """Two event types have the same name: a reader could not tell which sentence is meant."""


class InvalidEventFields(AuditError):
    """The values given are not exactly the fields that the event type was registered with."""


class InvalidEventType(AuditError):
    """A name of an event or of a field that the trail does not take; the text says which and why."""
