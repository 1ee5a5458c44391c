"""Retries of failures: when they are due, and the attempts."""
