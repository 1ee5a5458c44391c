"""Retries of failures: their schedule and their attempts."""
