"""The REST API of the platform: hotels and guest contacts."""
