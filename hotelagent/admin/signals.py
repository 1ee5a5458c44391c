"""Signals that are sent when staff add, change or delete an object in the admin, or open its history page.

The app `audit` receives the signals and records audit events. Signals about changes are sent in the transaction of the
change. `changed` lists the names of the changed fields, but not their values, because the values may be personal data.
"""

from django.dispatch import Signal

#: The signals about changes have the arguments request, user, obj and changed. The sender is the model class.
object_added = Signal()
object_changed = Signal()
object_deleted = Signal()

#: The signal `history_requested` is sent when staff open the history page of an object.
#: The arguments of `history_requested` are request, model_admin and object_id.
#: The signal `history_requested` has exactly one receiver, which returns the HTTP response with the history page.
history_requested = Signal()
