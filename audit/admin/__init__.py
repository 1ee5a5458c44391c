"""The read-only pages of the audit trail in both admin sites."""

from audit.admin import events

__all__ = ["events"]
