"""What the trail says about people coming and going, about the admin, and about the hotels themselves."""

from django.utils.translation import gettext_lazy as _

from audit.registry import register
from tenants.models import ContactKind

LOGGED_IN = register("staff.logged_in", sentence=_("{actor} logged in"))
LOGGED_OUT = register("staff.logged_out", sentence=_("{actor} logged out"))
# What was typed is not kept: people type passwords into the wrong field.
LOGIN_FAILED = register("staff.login_failed", sentence=_("Somebody failed to log in as {subject}"))
STAFF_ADDED = register("staff.added", sentence=_("{actor} added {subject} as {role}"), fields=("role",))
ACCESS_DENIED = register(
    "access.denied", sentence=_("{actor} was denied {permission}"), fields=("permission", "method", "path")
)

# Names of fields and not their values: what was typed may be personal.
OBJECT_ADDED = register("admin.added", sentence=_("{actor} added {subject}"), fields=("changed",))
OBJECT_CHANGED = register(
    "admin.changed", sentence=_("{actor} changed {subject}: {changed}"), fields=("changed",)
)
OBJECT_DELETED = register("admin.deleted", sentence=_("{actor} deleted {subject}"), fields=("changed",))

API_KEY_CREATED = register(
    "api_key.created",
    sentence=_("{actor} made the API key {prefix} for {scopes}"),
    fields=("prefix", "scopes", "expires_at"),
)
API_KEY_REVOKED = register(
    "api_key.revoked", sentence=_("{actor} revoked the API key {prefix}"), fields=("prefix",)
)

HOTEL_CREATED = register(
    "hotel.created", sentence=_("{actor} created the hotel {slug}"), fields=("slug", "detail")
)
HOTEL_SUSPENDED = register(
    "hotel.suspended", sentence=_("{actor} suspended the hotel {slug}"), fields=("slug", "detail")
)
HOTEL_RESUMED = register(
    "hotel.resumed", sentence=_("{actor} resumed the hotel {slug}"), fields=("slug", "detail")
)
HOTEL_RENAMED = register(
    "hotel.renamed", sentence=_("{actor} renamed the hotel {slug}: {detail}"), fields=("slug", "detail")
)
# The certificate: names, and how many rows of which table went.
HOTEL_DELETED = register(
    "hotel.deleted", sentence=_("{actor} deleted the hotel {slug}"), fields=("slug", "detail")
)
# The file is known by its SHA-256; where it lies is nobody's business here.
HOTEL_BACKED_UP = register(
    "hotel.backed_up", sentence=_("{actor} backed up the hotel {slug}"), fields=("slug", "detail")
)
HOTEL_RESTORED = register(
    "hotel.restored", sentence=_("{actor} restored the hotel {slug} from a backup"), fields=("slug", "detail")
)
DOMAIN_ADDED = register(
    "hotel.domain_added", sentence=_("{actor} gave {slug} a domain: {detail}"), fields=("slug", "detail")
)
DOMAIN_REMOVED = register(
    "hotel.domain_removed",
    sentence=_("{actor} took a domain from {slug}: {detail}"),
    fields=("slug", "detail"),
)
# Which kind of contact; what it is stays out, for a guest can't be erased from the trail.
_CONTACTS = {kind.value: kind.label for kind in ContactKind}
CONTACT_ADDED = register(
    "contact.added",
    sentence=_("{actor} gave {slug} a guest's contact: {kind}"),
    fields=("slug", "kind"),
    words={"kind": _CONTACTS},
)
CONTACT_REMOVED = register(
    "contact.removed",
    sentence=_("{actor} took a guest's contact from {slug}: {kind}"),
    fields=("slug", "kind"),
    words={"kind": _CONTACTS},
)
