"""The audit events of staff accounts."""
