"""The kinds of due items that the dead-letter queue schedules, and the age limit of failures."""

from datetime import UTC, datetime, timedelta

#: The due item of a failure, which starts its next retry.
FAILURE_DUE = "failure"
#: The next step of a redrive. The id of the item is the id of the redrive.
REDRIVE_DUE = "redrive"
#: The daily clean-up of a hotel's failures. The id of the item is the hotel's id.
CLEAN_UP_DUE = "failure_clean_up"
#: The release of failures whose retries were paused. The id of the item is the hotel's id.
RELEASE_DUE = "failure_release"

#: The count of a hotel's failures for metrics and alerts. The id of the item is the hotel's id.
WATCH_DUE = "failure_watch"

#: A failure that is older than this is no longer retried automatically.
MAX_AGE = timedelta(days=7)
#: The age limit of tasks that did not run because their hotel was suspended. They run when the hotel is resumed.
SUSPENDED_MAX_AGE = timedelta(days=365)
#: The due time of failures whose retries are paused.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
