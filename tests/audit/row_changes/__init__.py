"""Tests of the recording of changed rows by database triggers, and of the verification of rows."""
