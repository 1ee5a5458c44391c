"""The retention periods of failures, and pauses of retries."""
