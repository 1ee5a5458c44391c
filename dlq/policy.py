"""The kinds of due items (entries of the queue of scheduled work) for failures, and the age limit of failures."""

from datetime import UTC, datetime, timedelta

#: The kind of due items (scheduled work) that retry failures. The id of a due item is the id of the failure.
FAILURE_DUE = "failure"
#: The kind of due items (scheduled work) that continue redrive jobs. The id of a due item is the id of the job.
REDRIVE_DUE = "redrive"
#: The kind of due items (scheduled work) that clean up failures daily. The id of a due item is the id of the hotel.
CLEAN_UP_DUE = "failure_clean_up"
#: The kind of due items (scheduled work) that end pauses of retries. The id of a due item is the id of the hotel.
RELEASE_DUE = "failure_release"

#: The kind of due items (scheduled work) that start a count of failures. The id of a due item is the id of the hotel.
WATCH_DUE = "failure_watch"

#: The age after which a failure is no longer retried automatically.
MAX_AGE = timedelta(days=7)
#: The age limit of tasks that did not run because their hotel was suspended. The tasks run when the hotel is resumed.
SUSPENDED_MAX_AGE = timedelta(days=365)
#: The due time of failures whose retries are paused.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
