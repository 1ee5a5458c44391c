"""What people do in the admin. This package can't import the audit trail, so the trail listens here.

Each is sent in the transaction of the change, with `request`, `obj` and `user`; `changed` has the names of the
fields (never their values: what was typed may be personal). Django's own `user_login_failed`, `user_logged_in`
and `user_logged_out` are sent as ever.
"""

from django.dispatch import Signal

object_added = Signal()  # sender: the model; obj, user, request, changed
object_changed = Signal()
object_deleted = Signal()
history_asked = Signal()  # sender: the model; request, model_admin, object_id; one receiver, answers the page
permission_refused = Signal()  # user, request, permission: a scope, or the address of a page
