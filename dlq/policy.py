"""The kinds of due items that the dead-letter queue schedules, and the age limit of failures."""

from datetime import UTC, datetime, timedelta

#: The kind of the due item that starts the next retry of a failure. The id of the item is the id of the failure.
FAILURE_DUE = "failure"
#: The kind of the due item that starts the next step of a redrive. The id of the item is the id of the redrive.
REDRIVE_DUE = "redrive"
#: The kind of the due item that starts the daily clean-up of a hotel's failures. The id of the item is the hotel's id.
CLEAN_UP_DUE = "failure_clean_up"
#: The kind of the due item that releases a hotel's paused retries. The id of the item is the hotel's id.
RELEASE_DUE = "failure_release"

#: The kind of the due item that counts a hotel's failures for metrics and alerts. The id of the item is the hotel's id.
WATCH_DUE = "failure_watch"

#: The age after which a failure is no longer retried automatically.
MAX_AGE = timedelta(days=7)
#: The age limit of tasks that did not run because their hotel was suspended. They run when the hotel is resumed.
SUSPENDED_MAX_AGE = timedelta(days=365)
#: The due time of failures whose retries are paused.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
