"""Exports of failures as CSV or JSON Lines."""
