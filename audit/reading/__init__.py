"""The reading of the audit trail: the search for events, and the record of who read the trail."""
