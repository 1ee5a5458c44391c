"""The time-limited and audited access of the platform's staff to a hotel's admin."""
