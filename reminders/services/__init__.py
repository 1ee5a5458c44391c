"""What can be done with reservations and reminders; one transaction each."""
