"""URL configurations: one for the host of the platform and one for the hosts of hotels."""
