"""What happens to hotels. `tenants` is imported by all and imports none, so the audit trail listens here.

Each is sent inside the transaction of the act, in the platform's context, with `hotel` and `detail` (a dict of
JSON-able facts). A receiver that raises undoes the act.
"""

from django.dispatch import Signal

hotel_created = Signal()
hotel_suspended = Signal()
hotel_resumed = Signal()
hotel_renamed = Signal()
hotel_erased = Signal()
hotel_backed_up = Signal()
hotel_restored = Signal()
domain_added = Signal()
domain_removed = Signal()
#: With `contact`, its row, in place of `detail`.
contact_added = Signal()
contact_removed = Signal()

#: Sent by the REST API and the admin with request, user and permission: the missing scope, or an admin page's path.
permission_denied = Signal()
