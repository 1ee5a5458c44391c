"""Planning: the creation of reminders from rules and reservations."""
