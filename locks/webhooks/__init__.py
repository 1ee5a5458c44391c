"""Telling other systems: where to, sealed how, signed how. What is told, and when, is in `locks.services`."""
