"""Reading of the audit trail: the search for events, and the events that record who read the trail."""
