"""Addresses: the platform's host and a hotel's share none."""
