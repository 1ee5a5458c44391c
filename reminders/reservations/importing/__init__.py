"""Import of a hotel's bookings from a CSV file. See README.md."""
