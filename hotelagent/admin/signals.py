"""Signals that are sent when staff do something in the admin.

The app `audit` receives them and records the events. The admin package can't call it, because `audit` is a layer above.

Each signal is sent in the transaction of the change, with `request` and `user`. Signals about an object also have `obj`
and `changed`, the names of the changed fields. The values are not sent, because they may be personal data. Logins are
reported by Django's signals `user_logged_in`, `user_login_failed` and `user_logged_out`.
"""

from django.dispatch import Signal

#: Sent with request, user, obj and changed. The sender is the model.
object_added = Signal()
object_changed = Signal()
object_deleted = Signal()

#: Sent when the history page of an object is opened, with request, model_admin and object_id. The sender is the model.
#: The only receiver returns the response.
history_requested = Signal()
