"""Planning: rules and reservations become reminders."""
