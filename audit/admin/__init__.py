"""The read-only pages of the audit trail in the admin sites of the hotels and of the platform."""

from audit.admin import events

__all__ = ["events"]
