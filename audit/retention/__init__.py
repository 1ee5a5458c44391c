"""The retention of audit events: the oldest events of a trail are deleted when their retention period has ended."""
