"""How long failures are kept, and the pauses in which nothing is retried."""
