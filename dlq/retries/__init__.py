"""Retries of failures: when the next retry is due, and how a worker performs the retry."""
