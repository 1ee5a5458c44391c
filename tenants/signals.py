"""Signals about hotels, their domains and contacts, and about staff and API keys.

The audit trail records events when it receives these signals. Each signal is sent in the transaction of the operation.
If a receiver raises an exception, the operation is rolled back.
"""

from django.dispatch import Signal

# Signals about a hotel, sent in the platform's context with the arguments `hotel` and `detail`.
# The argument `detail` is a dict that can be serialized as JSON.
hotel_registered = Signal()
hotel_created = Signal()
hotel_changed = Signal()
hotel_suspended = Signal()
hotel_resumed = Signal()
hotel_renamed = Signal()
hotel_migrated = Signal()
# The signal `hotel_migration_failed` is sent after the changes of the migration were rolled back.
hotel_migration_failed = Signal()
hotel_deletion_requested = Signal()
# The signal `hotel_data_deletion_started` is sent in the transaction of a deletion, before the data are deleted.
# The signal `hotel_data_deletion_started` has no argument `detail`.
# A receiver of `hotel_data_deletion_started` may return a dict, which is added to the certificate of the deletion.
hotel_data_deletion_started = Signal()
hotel_deleted = Signal()
hotel_backed_up = Signal()
hotel_restored = Signal()
# Signals about stored backups, sent in the platform's context. The argument `target` is `platform`, `database`,
# `server` or `hotels/<id>`. `backup_stored` is sent for targets that are not hotels, and `hotel_backed_up` for hotels.
# `backup_failed` has the argument `hotel` too, which is None for other targets.
# `backups_drilled` has no argument `target`: it is sent once for each run of restore drills.
backup_stored = Signal()
backup_failed = Signal()
backups_drilled = Signal()
domain_added = Signal()
domain_removed = Signal()
# Signals that a first manager was invited, and that the mail server accepted the e-mail with the invitation.
manager_invited = Signal()
manager_invitation_sent = Signal()

# Signals about a support session, sent with the arguments `hotel` and `session`. The session's user is the actor.
support_requested = Signal()
support_opened = Signal()
support_ended = Signal()
support_expired = Signal()
# The signal `support_refused` has no arguments. It is sent in the context of the hotel whose support link was refused.
support_refused = Signal()

# Signal that all migrations were applied to a restored hotel, sent before the hotel is activated.
# The signal `restored_hotel_migrated` is sent in the platform's context with the argument `hotel`.
# If a receiver of `restored_hotel_migrated` raises an exception, the hotel stays suspended.
restored_hotel_migrated = Signal()

# Signals about a guest contact, sent in the platform's context with the arguments `hotel` and `contact`.
contact_added = Signal()
contact_removed = Signal()

# Signals about a Celery task, sent outside of any tenant's context. The argument `task` is the Celery task.
# The attribute `task.request` describes the Celery message that the worker processed.
# The signal `task_failed` has the arguments `task` and `error`.
# If a receiver of `task_failed` raises an exception, the broker delivers the Celery message again.
task_failed = Signal()
task_succeeded = Signal()

# Signal about a refused request, sent with `request`, `user` and the missing `permission`.
# The argument `permission` is a scope, or the name of the URL pattern of an admin page.
permission_denied = Signal()

# Signal that an API client exceeded the rate limit named `policy`: `requests` requests in `seconds` seconds.
# The signal `rate_limit_exceeded` is sent once an hour per client, and the client is the actor.
rate_limit_exceeded = Signal()

# The signal `personal_data_read` is sent if a response shows records that identify guests or staff.
# The arguments of `personal_data_read` are `request`, `kind` (the name of the model in lowercase) and `ids`.
# If a receiver of `personal_data_read` raises an exception, the client receives an error instead of the data.
personal_data_read = Signal()

# Signals about a staff account, sent in the context of the account's tenant with the argument `user`.
staff_added = Signal()
# Signal that the first manager of a hotel has accepted the invitation. `staff_added` is sent too.
manager_invitation_accepted = Signal()
staff_password_set = Signal()
# Signals that the role of an account was changed, or that an account was activated or deactivated. `staff_role_changed`
# also has `before`, the old role.
staff_role_changed = Signal()
staff_activation_changed = Signal()
# Signal that the data of a staff account were erased, sent with `user` and the erased `username` and `email`.
# The receivers in each app erase the person from the records of the app.
staff_erased = Signal()

# Signal that the second factor of an account changed. `change` is `enabled`, `replaced`, `disabled`, `reset` (by an
# administrator or a command) or `recovery_codes`.
second_factor_changed = Signal()
# Signal that the e-mail address of an account changed, with `before`, the old address.
staff_email_changed = Signal()
# Signal that a link to set a new password was sent to the account's address.
password_link_sent = Signal()
# Signal that a member of staff ended `count` of their own sessions.
staff_sessions_ended = Signal()
# Signals that a user entered a wrong code in the second step of a login, or failed to confirm their identity.
login_code_failed = Signal()
confirmation_failed = Signal()

# Signals about an API key, sent in the context of the key's tenant with the argument `key`.
api_key_created = Signal()
api_key_revoked = Signal()
