"""The import of a hotel's bookings from a file. README.md describes the steps."""
