"""Signals about hotels, their domains and contacts, and about staff and API keys.

The app `tenants` cannot import `audit`, so the audit trail records events when it receives these signals. Each signal
is sent in the transaction of the operation. If a receiver raises an exception, the operation is rolled back.
"""

from django.dispatch import Signal

# Sent in the platform's context with `hotel` and `detail`, a JSON-serializable dict.
hotel_created = Signal()
hotel_suspended = Signal()
hotel_resumed = Signal()
hotel_renamed = Signal()
hotel_deleted = Signal()
hotel_backed_up = Signal()
hotel_restored = Signal()
domain_added = Signal()
domain_removed = Signal()

# Sent in the platform's context with `hotel` and `contact`.
contact_added = Signal()
contact_removed = Signal()

# Sent by the REST API and the admin with `request`, `user` and `permission`. The permission is the missing scope, or
# the path of an admin page.
permission_denied = Signal()

# Sent in the context of the user's tenant with `user`.
staff_added = Signal()
staff_password_set = Signal()

# Sent in the context of the key's tenant with `key`.
api_key_created = Signal()
api_key_revoked = Signal()
