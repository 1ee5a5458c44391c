"""Migrates the fleet: every hotel's schema, in as few round trips as there are hotels (DESIGN 4.5)."""
