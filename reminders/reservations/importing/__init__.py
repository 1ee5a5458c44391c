"""The import of a hotel's bookings from a CSV file. README.md describes the steps."""
