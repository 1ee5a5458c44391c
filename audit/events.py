"""The types of audit events about logins, the admin, API keys, hotels, guest contacts and reads of data."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audit.registry import (
    Category,
    CountedDescription,
    Outcome,
    Severity,
    register,
    register_operation,
    register_security,
)
from tenants.models import ContactKind
from tenants.scopes import Role

#: The labels of the kinds of records in events about reads. `AuditConfig` adds the names of all models.
READ_KINDS: dict[str, Any] = {}
#: The labels of the fields of records, with keys such as "reservation.arrival". `AuditConfig` adds all models' fields.
FIELD_LABELS: dict[str, Any] = {}
_CHANGED: dict[str, Any] = {"fields": ("changed",), "labels": {"changed": FIELD_LABELS}}
LOGGED_IN = register_security("staff.logged_in", description=_("{actor} logged in"))
LOGGED_OUT = register_security("staff.logged_out", description=_("{actor} logged out"))
# The typed user name is not stored, because people sometimes type their password into the field of the user name.
LOGIN_FAILED = register_security(
    "staff.login_failed",
    description=_("A login failed: {subject}"),
    severity=Severity.NOTICE,
    outcome=Outcome.DENIED,
)
PASSWORD_SET = register_security(
    "staff.password_set", description=_("{actor} set the password of {subject}"), severity=Severity.NOTICE
)
STAFF_ADDED = register_security(
    "staff.added",
    description=_("{actor} added {subject} as {role}"),
    fields=("role",),
    severity=Severity.NOTICE,
)
_ROLES = {role.value: role.label for role in Role}
ROLE_CHANGED = register_security(
    "staff.role_changed",
    description=_("{actor} changed the role of {subject} from {before} to {after}"),
    fields=("before", "after"),
    severity=Severity.WARNING,
    labels={"before": _ROLES, "after": _ROLES},
)
ACTIVATED = register_security(
    "staff.activated", description=_("{actor} activated the account of {subject}"), severity=Severity.NOTICE
)
DEACTIVATED = register_security(
    "staff.deactivated",
    description=_("{actor} deactivated the account of {subject}"),
    severity=Severity.NOTICE,
)
# The field `hotel` of `staff.erased` has the id of the hotel. The event does not contain the name of the erased person.
# `staff.erased` is also recorded in the platform's trail, because an older backup of the hotel lacks the event.
STAFF_ERASED = register(
    "staff.erased",
    description=_("{actor} erased the account and the personal data of {subject}"),
    fields=("hotel", "events"),
    severity=Severity.NOTICE,
)
ACCESS_DENIED = register_security(
    "access.denied",
    description=_("{actor} was denied the permission {permission}"),
    # The field `route` has the name of the URL pattern, and `arguments` has the ids in the URL.
    # The path is not stored, because a client can write any text into the path.
    fields=("permission", "method", "route", "arguments"),
    severity=Severity.NOTICE,
    outcome=Outcome.DENIED,
)

# The field `changed` lists only the names of changed fields, because their values may be personal data.
OBJECT_ADDED = register("admin.added", description=_("{actor} added {subject}"), **_CHANGED)
OBJECT_CHANGED = register("admin.changed", description=_("{actor} changed {subject}: {changed}"), **_CHANGED)
OBJECT_DELETED = register("admin.deleted", description=_("{actor} deleted {subject}"), **_CHANGED)

# The field `filters` contains the names of the search filters, without the values that the reader entered.
# `audit.read` is recorded at most once per hour for the same reader and filters.
TRAIL_READ = register(
    "audit.read",
    description=_("{actor} read the audit trail (filters: {filters})"),
    fields=("filters",),
    category=Category.DATA_ACCESS,
)
# The event `audit.events_lost` is recorded after other events were lost, for example because the database was
# unavailable.
EVENTS_LOST = register_security(
    "audit.events_lost",
    description=CountedDescription(
        "number",
        lambda count: ngettext(
            "{number} event could not be recorded since {since}",
            "{number} events could not be recorded since {since}",
            count,
        ),
    ),
    fields=("number", "since", "types"),
    severity=Severity.CRITICAL,
    outcome=Outcome.FAILED,
)

API_KEY_CREATED = register_security(
    "api_key.created",
    description=_("{actor} created the API key {prefix} with the scopes {scopes}"),
    fields=("prefix", "scopes", "expires_at"),
    severity=Severity.NOTICE,
)
API_KEY_REVOKED = register_security(
    "api_key.revoked",
    description=_("{actor} revoked the API key {prefix}"),
    fields=("prefix",),
    severity=Severity.NOTICE,
)

# Events about a hotel are in the platform's trail. Most of these events are also in the hotel's trail (see
# `audit.hotels.both_trails`).
# The registration and the deletion of a hotel are recorded only in the platform's trail, without personal data.
HOTEL_REGISTERED = register_operation(
    "hotel.registered", description=_("{actor} registered the hotel {slug}"), fields=("slug", "detail")
)
HOTEL_CREATED = register_operation(
    "hotel.created", description=_("{actor} created the hotel {slug}"), fields=("slug", "detail")
)
HOTEL_SUSPENDED = register_operation(
    "hotel.suspended",
    description=_("{actor} suspended the hotel {slug}"),
    fields=("slug", "detail"),
    severity=Severity.NOTICE,
)
HOTEL_RESUMED = register_operation(
    "hotel.resumed",
    description=_("{actor} lifted the suspension of the hotel {slug}"),
    fields=("slug", "detail"),
    severity=Severity.NOTICE,
)
# The field `detail` has the names of the hotel's changed properties, and their values except for the e-mail address.
HOTEL_CHANGED = register_operation(
    "hotel.changed",
    description=_("{actor} changed properties of the hotel {slug}"),
    fields=("slug", "detail"),
)
HOTEL_RENAMED = register_operation(
    "hotel.renamed",
    description=_("{actor} renamed the hotel {slug} ({detail})"),
    fields=("slug", "detail"),
    labels={"detail": {"before": _("before"), "after": _("after")}},
    severity=Severity.NOTICE,
)
# The field `detail` has the schema versions before and after the migration, and the names of the migrations.
HOTEL_MIGRATED = register_operation(
    "hotel.migrated",
    description=_("{actor} migrated the database tables of the hotel {slug}"),
    fields=("slug", "detail"),
    severity=Severity.NOTICE,
)
# The field `detail` has the class of the error. The error message is not stored, because it can contain values of rows.
HOTEL_MIGRATION_FAILED = register_operation(
    "hotel.migration_failed",
    description=_("{actor} could not migrate the database tables of the hotel {slug}"),
    fields=("slug", "detail"),
    severity=Severity.WARNING,
    outcome=Outcome.FAILED,
)
HOTEL_DELETION_REQUESTED = register_operation(
    "hotel.deletion_requested",
    description=_("{actor} requested the deletion of the hotel {slug}"),
    fields=("slug", "detail"),
    severity=Severity.CRITICAL,
)
# The field `detail` is the proof of deletion: it lists the number of deleted rows of each table.
HOTEL_DELETED = register_operation(
    "hotel.deleted",
    description=_("{actor} deleted the hotel {slug}"),
    fields=("slug", "detail"),
    severity=Severity.CRITICAL,
)
# The field `detail` contains the SHA-256 of the backup file, but not the path of the file.
HOTEL_BACKED_UP = register(
    "hotel.backed_up",
    description=_("{actor} backed up the hotel {slug}"),
    fields=("slug", "detail"),
    category=Category.DATA_ACCESS,
    severity=Severity.NOTICE,
)
HOTEL_RESTORED = register_operation(
    "hotel.restored",
    description=_("{actor} restored the hotel {slug} from a backup"),
    fields=("slug", "detail"),
    severity=Severity.WARNING,
)
_DOMAIN: dict[str, Any] = {"detail": {"host": _("host")}}
DOMAIN_ADDED = register_operation(
    "hotel.domain_added",
    description=_("{actor} added a domain to the hotel {slug} ({detail})"),
    fields=("slug", "detail"),
    labels=_DOMAIN,
    severity=Severity.NOTICE,
)
DOMAIN_REMOVED = register_operation(
    "hotel.domain_removed",
    description=_("{actor} removed a domain from the hotel {slug} ({detail})"),
    fields=("slug", "detail"),
    labels=_DOMAIN,
    severity=Severity.NOTICE,
)
MANAGER_INVITATION_ACCEPTED = register_security(
    "staff.invitation_accepted",
    description=_("{actor} accepted the invitation to manage the hotel, and created an account"),
    severity=Severity.NOTICE,
)
# The phone number or e-mail address is not stored, because plain event fields cannot be erased from the trail.
_CONTACT_KINDS = {kind.value: kind.label for kind in ContactKind}
CONTACT_ADDED = register(
    "contact.added",
    description=_("{actor} added a guest contact ({kind}) to the hotel {slug}"),
    fields=("slug", "kind"),
    labels={"kind": _CONTACT_KINDS},
)
CONTACT_REMOVED = register(
    "contact.removed",
    description=_("{actor} removed a guest contact ({kind}) from the hotel {slug}"),
    fields=("slug", "kind"),
    labels={"kind": _CONTACT_KINDS},
)

# The event `rate_limit.exceeded` is recorded at most once an hour per client, so many requests do not cause many
# events.
RATE_LIMIT_EXCEEDED = register_security(
    "rate_limit.exceeded",
    description=_("{actor} exceeded the rate limit (requests: {requests}, seconds: {seconds})"),
    fields=("policy", "requests", "seconds"),
    severity=Severity.NOTICE,
    outcome=Outcome.DENIED,
)
# `personal_data.read` says that an admin page or an API response showed records that identify guests or staff.
# If one record was shown, it is the subject. For a list, `targets` contains the kinds and ids of up to 100 records.
PERSONAL_DATA_READ = register(
    "personal_data.read",
    reads_personal_data=True,
    description=CountedDescription(
        "count",
        lambda count: ngettext(
            "{actor} viewed {count} record with personal data ({kind})",
            "{actor} viewed {count} records with personal data ({kind})",
            count,
        ),
    ),
    fields=("kind", "count", "targets", "route"),
    labels={"kind": READ_KINDS},
)
# The fields `before` and `after` contain the properties of the feature flag, or null if the flag did not exist.
# The field `kind` has the name of the flag's model in the library django-waffle.
FLAG_CHANGED = register_operation(
    "flag.changed",
    description=_("{actor} changed the feature flag {name}: {changed}"),
    fields=("kind", "name", "changed", "before", "after"),
    severity=Severity.NOTICE,
)

#: The labels of the kinds of deleted records. Each app adds labels for the kinds of records that the app deletes.
RECORD_KINDS: dict[str, Any] = {}
# `retention.deleted` is recorded in each transaction that deletes old records.
# Only records that ended before the time in the field `before` were deleted.
RECORDS_DELETED = register_operation(
    "retention.deleted",
    description=CountedDescription(
        "count",
        lambda count: ngettext(
            "Retention deleted {count} old record: {kind}",
            "Retention deleted {count} old records: {kind}",
            count,
        ),
    ),
    fields=("kind", "count", "before"),
    labels={"kind": RECORD_KINDS},
)

# The field `filters` contains the names of the search filters, without the values.
# The name of the saved search is not recorded, because it may contain the name of a person.
SEARCH_SAVED = register(
    "audit.search_saved",
    description=_("{actor} saved a search of the audit trail (filters: {filters})"),
    fields=("filters",),
)
SEARCH_DELETED = register(
    "audit.search_deleted", description=_("{actor} deleted a saved search of the audit trail")
)
