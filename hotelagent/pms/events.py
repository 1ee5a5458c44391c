"""The types of audit events about the PMS. The events contain no guest data and no access key."""

from django.utils.translation import gettext_lazy as _

from audit.registry import Outcome, Severity, register, register_operation
from hotelagent.pms import errors
from hotelagent.pms.models import OPERATIONS, ConflictKind, Connection

_REASONS = {
    error.code: error.title
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.PmsError)
}
_CONNECTION_FIELDS = {field.name: field.verbose_name for field in Connection._meta.concrete_fields} | {
    "key": _("access key")
}
_KINDS = dict(ConflictKind.choices)

CONNECTION_CHANGED = register(
    "pms.connection_changed",
    description=_("{actor} changed the connection to the PMS: {changed}"),
    fields=("changed",),
    labels={"changed": _CONNECTION_FIELDS},
    severity=Severity.NOTICE,
)
CONNECTION_TESTED = register_operation(
    "pms.connection_tested",
    description=_("{actor} tested the connection to the PMS: {outcome}"),
    fields=("outcome",),
    labels={"outcome": {"passed": _("it works"), "failed": _("it does not work")}},
)
CALL_FAILED = register_operation(
    "pms.call_failed",
    description=_("A call to the PMS failed ({operation}): {reason}"),
    fields=("operation", "reason"),
    labels={"operation": OPERATIONS, "reason": _REASONS},
    severity=Severity.NOTICE,
    outcome=Outcome.FAILED,
)
CIRCUIT_OPENED = register_operation(
    "pms.circuit_opened",
    description=_("Calls to the PMS are paused after {failures} failures ({operation})"),
    fields=("operation", "failures"),
    labels={"operation": OPERATIONS},
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
CIRCUIT_CLOSED = register_operation(
    "pms.circuit_closed",
    description=_("The PMS works again ({operation})"),
    fields=("operation",),
    labels={"operation": OPERATIONS},
)
CIRCUIT_RESET = register_operation(
    "pms.circuit_reset",
    description=_("{actor} resumed the calls to the PMS ({operation})"),
    fields=("operation",),
    labels={"operation": OPERATIONS},
    severity=Severity.NOTICE,
)
BOOKED = register(
    "pms.booked",
    description=_("{actor} booked {room_type} in the PMS: {number}"),
    fields=("reference", "number", "room_type", "check_in", "check_out"),
)
BOOKING_REFUSED = register_operation(
    "pms.booking_refused",
    description=_("The PMS refused the booking {reference}: {reason}"),
    fields=("reference", "reason"),
    labels={"reason": _REASONS},
    severity=Severity.NOTICE,
    outcome=Outcome.FAILED,
)
BOOKING_UNCLEAR = register_operation(
    "pms.booking_unclear",
    description=_("It is not clear whether the PMS has made the booking {reference}: {reason}"),
    fields=("reference", "reason"),
    labels={"reason": _REASONS},
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
BOOKING_CANCELLED = register(
    "pms.booking_cancelled",
    description=_("{actor} cancelled the booking {number} in the PMS"),
    fields=("reference", "number"),
)
DUPLICATE_CANCELLED = register(
    "pms.duplicate_cancelled",
    description=_("The PMS had the booking {reference} twice, so the booking {number} was cancelled"),
    fields=("reference", "number"),
    severity=Severity.WARNING,
)
BOOKING_CANCELLATION_REFUSED = register_operation(
    "pms.cancellation_refused",
    description=_("The PMS refused to cancel the booking {reference}: {reason}"),
    fields=("reference", "reason"),
    labels={"reason": _REASONS},
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
CONFLICT_FOUND = register_operation(
    "pms.conflict_found",
    description=_("The booking {number} of the PMS does not fit: {kind}"),
    fields=("number", "kind"),
    labels={"kind": _KINDS},
    severity=Severity.WARNING,
)
CONFLICT_SETTLED = register(
    "pms.conflict_settled",
    description=_("{actor} settled the conflict of the booking {number} of the PMS: {kind}"),
    fields=("number", "kind"),
    labels={"kind": _KINDS},
)
SYNCHRONIZED = register_operation(
    "pms.synchronized",
    description=_(
        "The changes of the PMS were imported: {created} created, {updated} changed, {unchanged} unchanged, "
        "{conflicts} with conflicts"
    ),
    fields=("created", "updated", "unchanged", "conflicts"),
)
_RATE_FIELDS = ("room_type", "first_night", "last_night", "price")
RATE_ADDED = register(
    "pms.rate_added",
    description=_("{actor} added a rate for {room_type}, {first_night} to {last_night}: {price}"),
    fields=_RATE_FIELDS,
)
RATE_CHANGED = register(
    "pms.rate_changed",
    description=_("{actor} changed the rate for {room_type}, {first_night} to {last_night}: {price}"),
    fields=_RATE_FIELDS,
)
RATE_DELETED = register(
    "pms.rate_deleted",
    description=_("{actor} deleted the rate for {room_type}, {first_night} to {last_night}: {price}"),
    fields=_RATE_FIELDS,
)
