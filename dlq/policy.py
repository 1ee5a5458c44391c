"""The kinds of due items (entries of the queue of scheduled work) for failures, and the age limit of failures."""

from datetime import UTC, datetime, timedelta

#: Due items (entries of the queue of scheduled work) of this kind retry a failure. The id is the failure's id.
FAILURE_DUE = "failure"
#: Due items (entries of the queue of scheduled work) of this kind continue a redrive. The id is the redrive's id.
REDRIVE_DUE = "redrive"
#: Due items (entries of the queue of scheduled work) of this kind clean up failures daily. The id is the hotel's id.
CLEAN_UP_DUE = "failure_clean_up"
#: Due items (entries of the queue of scheduled work) of this kind end a pause of retries. The id is the hotel's id.
RELEASE_DUE = "failure_release"

#: Due items (entries of the queue of scheduled work) of this kind count a hotel's failures. The id is the hotel's id.
WATCH_DUE = "failure_watch"

#: The age after which a failure is no longer retried automatically.
MAX_AGE = timedelta(days=7)
#: The age limit of tasks that did not run because their hotel was suspended. The tasks run when the hotel is resumed.
SUSPENDED_MAX_AGE = timedelta(days=365)
#: The due time of failures whose retries are paused.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
