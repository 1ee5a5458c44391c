"""The kinds of due items (entries of the queue of scheduled work) for failures, and the age limit of failures."""

from datetime import UTC, datetime, timedelta

#: The kind of the due items (entries of the queue of scheduled work) that retry a failure. The id is the failure's.
FAILURE_DUE = "failure"
#: The kind of the due items (entries of the queue of scheduled work) that continue a redrive job. The id is the job's.
REDRIVE_DUE = "redrive"
#: The kind of the due items (entries of the queue of scheduled work) that clean up failures. The id is the hotel's.
CLEAN_UP_DUE = "failure_clean_up"
#: The kind of the due items (entries of the queue of scheduled work) that end a pause. The id is the hotel's.
RELEASE_DUE = "failure_release"

#: The kind of the due items (entries of the queue of scheduled work) that count failures. The id is the hotel's.
WATCH_DUE = "failure_watch"

#: The age after which a failure is no longer retried automatically.
MAX_AGE = timedelta(days=7)
#: The age limit of tasks that did not run because their hotel was suspended. The tasks run when the hotel is resumed.
SUSPENDED_MAX_AGE = timedelta(days=365)
#: The due time of failures whose retries are paused.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
