"""Tests of the set-up of a new hotel."""
