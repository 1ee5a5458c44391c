"""The admin's conventions: two sites that share nothing, permissions by scope, the audit trail as the log."""
