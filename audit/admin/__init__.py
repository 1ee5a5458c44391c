"""The pages of the audit trail in the admin sites of the hotels and of the platform."""

from audit.admin import events, logs, publishing

__all__ = ["events", "logs", "publishing"]
