"""Groups of failures with the same cause: their rules, their state for staff, their counts, and their pages."""
